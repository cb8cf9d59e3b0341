// SPDX-License-Identifier: Apache-2.0
// node: a node of class cpu that does what proto/README.md asks of the least one.

const OFFER_EVERY_MS = 5000;

export class Node {
	// kinds: { name: async (job) => encoded Body }; job has body, tenant, progress(), chunk(), and signal (of an
	// AbortController), which says that nobody wants the result any more. slots: attempts at once
	constructor(nc, wire, name, slots, kinds) {
		Object.assign(this, { nc, wire, name, slots, kinds });
		this.incarnation = (BigInt(Date.now()) << 20n) | BigInt(Math.floor(Math.random() * 2 ** 20));
		this.seq = 0n;
		this.held = new Map(); // task -> { attempt, abort }
		this.ended = new Map(); // task -> its last attempt that ended here
		this.orders = []; // what came, for the tests
		this.draining = false;
		const callback = (err, m) => {
			if (!err)
				wire.decode('Downs', m.data).down.forEach((d) => this.#order(d));
		};
		this.subscriptions = [`spu.down.${name}`, 'spu.down.all'].map((s) => nc.subscribe(s, { callback }));
		this.offer();
		this.timer = setInterval(() => this.offer(), OFFER_EVERY_MS);
	}

	#up(up) {
		this.nc.publish(`spu.up.${this.name}`, this.wire.encode('Ups', { up: [up] }));
	}

	// forged: attempts that the node does not hold, for the tests
	offer(forged = []) {
		this.seq++;
		this.#up({
			offer: {
				incarnation: String(this.incarnation),
				seq: String(this.seq),
				rung: 'RUNG_CPU',
				kind: Object.keys(this.kinds).map((kind) => ({ kind, ready: true })),
				slots: this.slots,
				draining: this.draining,
				running: [...this.held].map(([task, h]) => ({ task, attempt: h.attempt })).concat(forged),
				device: 'a stranger',
				version: '1',
				health: 1000,
			},
		});
	}

	#order(down) {
		this.orders.push(down);
		if (down.what === 'assign')
			this.#assign(down.assign);
		else if (down.what === 'cancel' && this.held.get(down.cancel.task)?.attempt === down.cancel.attempt)
			this.held.get(down.cancel.task).abort.abort();
		else if (down.what === 'drain') {
			this.draining = down.drain.on;
			this.offer();
		} else if (down.what === 'ping')
			this.offer();
	}

	#assign({ task, attempt, kind, body, tenant }) {
		const held = this.held.get(task);
		if (held?.attempt === attempt) { // the first accept may have been lost
			this.#up({ accept: { task, attempt } });
			return;
		}
		if ((held?.attempt ?? 0) > attempt || (this.ended.get(task) ?? 0) >= attempt)
			return;
		held?.abort.abort();
		this.held.delete(task);
		if (!this.kinds[kind] || this.draining || this.held.size >= this.slots) {
			const code = this.kinds[kind] ? this.wire.errors.BUSY : this.wire.errors.UNSUPPORTED;
			this.#up({ refuse: { task, attempt, error: { code, detail: 'not now, or not here' } } });
			return;
		}
		this.#run({ task, attempt }, kind, { body: this.wire.decode('Body', body), tenant });
	}

	async #run(id, kind, job) {
		const abort = new AbortController();
		const began = process.hrtime.bigint();
		let chunks = 0;
		let report;
		this.held.set(id.task, { attempt: id.attempt, abort });
		this.#up({ accept: id });
		job.signal = abort.signal;
		job.progress = (permille, note) => this.#up({ progress: { ...id, progress: { permille, note } } });
		job.chunk = (data) => this.#up({ chunk: { ...id, chunk: { seq: ++chunks, data: Buffer.from(data) } } });
		try {
			report = { done: { ...id, body: await this.kinds[kind](job) } };
		} catch (e) {
			const code = abort.signal.aborted ? this.wire.errors.CANCELLED : (e.spu ?? this.wire.errors.BUG);
			report = { failed: { ...id, error: { code, detail: String(e.message) } } };
		}
		if (this.held.get(id.task)?.attempt !== id.attempt) // a newer attempt took its place
			return;
		this.held.delete(id.task);
		this.ended.set(id.task, id.attempt);
		(report.done ?? report.failed).run_us = String((process.hrtime.bigint() - began) / 1000n);
		this.#up(report);
	}

	close() {
		clearInterval(this.timer);
		this.#up({ bye: { incarnation: String(this.incarnation), reason: 'the test is over' } });
		this.subscriptions.forEach((s) => s.unsubscribe());
	}
}
