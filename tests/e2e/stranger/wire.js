// SPDX-License-Identifier: Apache-2.0
// wire: the messages, from proto/spu/v1/*.proto as they are; the errors and limits, from the tables that
// proto/README.md prints. 64-bit numbers are strings in decoded messages.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';

export class Wire {
	constructor(proto) {
		this.root = new protobuf.Root();
		this.root.resolvePath = (_origin, target) => join(proto, target);
		this.root.loadSync(['spu/v1/task.proto', 'spu/v1/node.proto', 'spu/v1/query.proto'], { keepCase: true });
		const readme = readFileSync(join(proto, 'README.md'), 'utf8');
		this.errors = Object.fromEntries(table(readme, 'errors').map(([name, code]) => [name, Number(code)]));
		this.limits = Object.fromEntries(table(readme, 'limits').map(([name, value]) => [name, parseInt(value, 10)]));
	}

	encode(name, message) {
		const type = this.root.lookupType(`spu.v1.${name}`);
		return type.encode(type.fromObject(message)).finish();
	}

	decode(name, bytes) {
		const type = this.root.lookupType(`spu.v1.${name}`);
		return type.toObject(type.decode(bytes), { longs: String, enums: String, defaults: true, oneofs: true });
	}

	// params: { key: value }; items: strings, bytes, or { name, media, data }
	body(params = {}, items = []) {
		return this.encode('Body', {
			param: Object.entries(params).map(([key, value]) => ({ key, value: String(value) })),
			item: items.map((i) => (typeof i === 'string' || i instanceof Uint8Array ? { data: Buffer.from(i) } : i)),
		});
	}
}

// The cells of the table between `<!-- table NAME -->` and `<!-- end of table -->`.
function table(text, name) {
	const begin = `<!-- table ${name} -->`;
	const rows = text.slice(text.indexOf(begin) + begin.length);
	return rows.slice(0, rows.indexOf('<!-- end of table -->')).trim().split('\n').slice(2)
		.map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim().replaceAll('`', '')));
}
