// SPDX-License-Identifier: Apache-2.0
// main URL PROTO: everything that a stranger can do, against a mesh with a router and one CPU node.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'nats';
import { Client } from './client.js';
import { Node } from './node.js';
import { Wire } from './wire.js';

const [url, proto] = process.argv.slice(2);
const wire = new Wire(proto);
const { errors, limits } = wire;
const nc = await connect({ servers: url, maxReconnectAttempts: 0, timeout: 5000 });
const client = new Client(nc, wire, 'acme');
let failed = 0;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const datas = (bytes) => wire.decode('Body', bytes).item.map((i) => Buffer.from(i.data));
const texts = (bytes) => datas(bytes).map(String);

async function test(name, run) {
	try {
		await run();
		console.log(`ok ${name}`);
	} catch (e) {
		failed++;
		console.log(`not ok ${name}`);
		console.log(String(e.stack).replace(/^/gm, '# '));
	}
}

// What does `what` until it gives something.
async function until(what, seconds = 10) {
	for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(50)) {
		const found = await what();
		if (found)
			return found;
	}
	throw new Error(`nothing within ${seconds} s`);
}

async function nodeView(name) {
	const reply = await client.query({ nodes: {} });
	return reply.nodes.node.find((n) => n.node === name);
}

await test('the mesh is up', () => until(async () => {
	const reply = await client.query({ mesh: {} }).catch(() => null);
	return reply?.mesh.nodes_up > 0;
}));

await test('echo: reply, events, end', async () => {
	const reply = await client.submit('util.echo', wire.body({}, ['hello', { name: 'b', media: 'text/plain', data: Buffer.from('world') }]));
	assert.equal(reply.error, null);
	assert.match(reply.task, /^[0-9A-HJKMNP-TV-Z]{26}$/);
	assert.equal(reply.state, 'STATE_QUEUED');
	const end = await client.end(reply.task);
	assert.equal(end.state, 'STATE_SUCCEEDED');
	assert.equal(end.rung, 'RUNG_CPU');
	assert.equal(end.attempts, 1);
	assert.ok(Number(end.total_us) >= Number(end.run_us));
	assert.deepEqual(texts(end.body), ['hello', 'world']);
	assert.equal(wire.decode('Body', end.body).item[1].name, 'b');
	const events = client.events(reply.task);
	assert.deepEqual(events.map((e) => e.seq), events.map((_, i) => String(i + 1)));
	assert.equal(events[0].change.state, 'STATE_ASSIGNED');
	assert.ok(events[0].change.node);
});

await test('fast: the end and nothing else', async () => {
	const reply = await client.submit('util.echo', wire.body({}, ['quick']), { fast: true });
	const end = await client.end(reply.task);
	assert.deepEqual(texts(end.body), ['quick']);
	assert.deepEqual(client.events(reply.task).map((e) => e.what), ['end']);
});

await test('without a stream events come on the id', async () => {
	const seen = [];
	const sub = nc.subscribe('spu.event.acme.*', { callback: (_, m) => seen.push(m) });
	const reply = await client.submit('util.echo', wire.body({}, ['x']), { stream: '' });
	const last = await until(() => seen.find((m) => m.subject === `spu.event.acme.${reply.task}` &&
		wire.decode('Events', m.data).event.some((e) => e.what === 'end')));
	assert.ok(last);
	sub.unsubscribe();
});

await test('a batch is answered in order, and a bad submit harms no other', async () => {
	const list = Array.from({ length: 50 }, (_, i) => ({ key: `batch-${i}`, kind: 'util.echo', body: wire.body({}, [`${i}`]) }));
	list[7].kind = 'no such kind';
	const replies = await client.submits(list);
	assert.deepEqual(replies.map((r) => r.key), list.map((s) => s.key));
	assert.equal(replies[7].error.code, errors.INVALID);
	assert.equal(replies[7].error.field, 'kind');
	const ends = await Promise.all(replies.filter((r) => !r.error).map((r) => client.end(r.task)));
	assert.equal(ends.length, 49);
	assert.ok(ends.every((e) => e.state === 'STATE_SUCCEEDED'));
});

await test('messages joined end to end are one message', async () => {
	const one = (text) => wire.encode('Submits', { submit: [{ stream: client.stream, kind: 'util.echo', body: wire.body({}, [text]) }] });
	const both = Buffer.concat([one('first'), one('second')]);
	const { reply } = await client.request('spu.submit.acme', 'Submits', both, 'SubmitReplies');
	assert.equal(reply.length, 2);
	assert.deepEqual(texts((await client.end(reply[1].task)).body), ['second']);
});

await test('a key: the same task, and another content is a conflict', async () => {
	const body = wire.body({}, ['once']);
	const first = await client.submit('util.echo', body, { key: 'order-17' });
	await client.end(first.task);
	const deadline_ms = String(Date.now() + 60000);
	const again = await client.submit('util.echo', body, { key: 'order-17', deadline_ms });
	assert.equal(again.task, first.task);
	assert.equal(first.existing, false);
	assert.equal(again.existing, true);
	assert.equal(again.state, 'STATE_SUCCEEDED');
	for (const more of [{ body: wire.body({}, ['twice']) }, { priority: 1 }, { max_price_ucr: '5' }, { fast: true }, { allow: ['RUNG_CPU'] }]) {
		const other = await client.submit('util.echo', more.body ?? body, { key: 'order-17', ...more });
		assert.equal(other.error?.code, errors.CONFLICT, JSON.stringify(more));
	}
	const stranger = new Client(nc, wire, 'umbrella'); // keys belong to a tenant
	assert.notEqual((await stranger.submit('util.echo', body, { key: 'order-17' })).task, first.task);
});

await test('compress and decompress, byte for byte', async () => {
	const plain = [Buffer.from('ab'.repeat(100000)), randomBytes(70001), Buffer.alloc(0)];
	const packed = await client.run('blob.compress', wire.body({ level: 9 }, plain));
	assert.equal(packed.state, 'STATE_SUCCEEDED');
	assert.ok(datas(packed.body)[0].length < 1000);
	const restored = await client.run('blob.decompress', wire.body({ max_ratio: 100000 }, datas(packed.body)));
	assert.equal(restored.state, 'STATE_SUCCEEDED', JSON.stringify(restored));
	assert.deepEqual(datas(restored.body), plain);
	const bomb = await client.run('blob.decompress', wire.body({ max_ratio: 100 }, datas(packed.body)));
	assert.equal(bomb.state, 'STATE_FAILED');
	assert.equal(bomb.error.code, errors.TOO_BIG);
});

await test('status, result, explain, tasks', async () => {
	const { task } = await client.submit('util.echo', wire.body({}, ['asked']), { priority: 3 });
	await client.end(task);
	const status = (await client.query({ status: { task } })).task;
	assert.equal(status.state, 'STATE_SUCCEEDED');
	assert.equal(status.kind, 'util.echo');
	assert.equal(status.priority, 3);
	assert.ok(Number(status.ended_ms) >= Number(status.accepted_ms));
	const { result } = await client.query({ result: { task } });
	assert.deepEqual(texts(result.body), ['asked']);
	const { explain } = await client.query({ explain: { task } });
	assert.deepEqual(explain.ladder, ['RUNG_CPU']);
	assert.deepEqual(explain.step.map((s) => s.kind), ['STEP_ACCEPTED', 'STEP_PLACED', 'STEP_END']);
	assert.equal(explain.step[1].candidate[0].verdict, 'VERDICT_CHOSEN');
	assert.equal(explain.step[1].node, result.node);
	const { tasks } = await client.query({ tasks: { limit: 2, state: 'STATE_SUCCEEDED' } });
	assert.equal(tasks.task.length, 2);
	assert.equal(tasks.task[0].task, task); // the newest first
	assert.ok(Number(tasks.total) > 2);
});

await test('nodes and mesh', async () => {
	const { nodes } = await client.query({ nodes: {} });
	const cpu = nodes.node.find((n) => n.offer.kind.some((k) => k.kind === 'util.echo'));
	assert.equal(cpu.state, 'NODE_UP');
	assert.equal(cpu.offer.rung, 'RUNG_CPU');
	assert.ok(cpu.offer.slots > 0);
	const { mesh } = await client.query({ mesh: {} });
	assert.ok(mesh.router);
	assert.ok(Number(mesh.succeeded) > 0);
	assert.equal(mesh.nodes_up, 1);
});

await test('what is wrong is said, with code, field and limit', async () => {
	const body = wire.body({}, ['x']);
	const cases = [
		[{ kind: 'demo.unheard-of' }, 'UNKNOWN', 'kind', '0'],
		[{ kind: '' }, 'INVALID', 'kind', String(limits.KIND_BYTES)],
		[{ key: 'a b' }, 'INVALID', 'key', String(limits.TOKEN_BYTES)],
		[{ stream: 'a.b' }, 'INVALID', 'stream', String(limits.TOKEN_BYTES)],
		[{ priority: limits.PRIORITY + 1 }, 'INVALID', 'priority', String(limits.PRIORITY)],
		[{ allow: ['RUNG_GPU'] }, 'INVALID', 'allow', '0'],
		[{ max_price_ucr: '-1' }, 'INVALID', 'max_price_ucr', '0'],
		[{ deadline_ms: '1' }, 'EXPIRED', 'deadline_ms'],
		[{ deadline_ms: String(Date.now() + (limits.DEADLINE_DAYS + 1) * 86400000) }, 'INVALID', 'deadline_ms'],
		[{ body: Buffer.alloc(limits.BODY_BYTES + 1) }, 'TOO_BIG', 'body', String(limits.BODY_BYTES)],
	];
	for (const [more, name, field, limit] of cases) {
		const reply = await client.submit('util.echo', body, more);
		assert.equal(reply.error?.code, errors[name], `${field}: ${JSON.stringify(reply)}`);
		assert.equal(reply.error.field, field);
		if (limit !== undefined)
			assert.equal(reply.error.limit, limit, field);
		assert.ok(reply.error.detail);
		assert.equal(reply.task, '');
	}
});

await test('parameters and bodies are checked where the work is done', async () => {
	for (const [params, code, field] of [[{ sleep_ms: 'soon' }, 'INVALID', 'sleep_ms'], [{ colour: 'red' }, 'INVALID', 'colour']]) {
		const end = await client.run('util.echo', wire.body(params, ['x']));
		assert.equal(end.state, 'STATE_FAILED');
		assert.equal(end.error.code, errors[code]);
		assert.equal(end.error.field, field);
	}
	const end = await client.run('util.echo', Buffer.from('no body at all'));
	assert.equal(end.state, 'STATE_FAILED');
	assert.equal(end.error.code, errors.MALFORMED);
	const fact = await client.run('util.echo', wire.body({ 'my.fact': 'passes' }, ['x']));
	assert.equal(fact.state, 'STATE_SUCCEEDED');
});

await test('bytes that are no message', async () => {
	const garbage = Buffer.from([0xff, 0xff, 0xff]);
	const { reply } = await client.request('spu.submit.acme', 'Submits', garbage, 'SubmitReplies');
	assert.equal(reply.length, 1);
	assert.equal(reply[0].error.code, errors.MALFORMED);
	const query = await client.request('spu.query.acme', 'Query', garbage, 'QueryReply');
	assert.equal(query.error.code, errors.MALFORMED);
	const empty = await client.query({});
	assert.equal(empty.error.code, errors.UNSUPPORTED);
});

await test('a foreign task is unknown, and only operators drain', async () => {
	const { task } = await client.submit('util.echo', wire.body({}, ['mine']));
	const other = new Client(nc, wire, 'umbrella');
	assert.equal((await other.query({ status: { task } })).error.code, errors.UNKNOWN);
	assert.equal((await other.query({ cancel: { task } })).error.code, errors.UNKNOWN);
	assert.equal((await other.query({ drain: { node: 'x', on: true } })).error.code, errors.DENIED);
	const operator = new Client(nc, wire, 'local');
	assert.equal((await operator.query({ status: { task } })).task.task, task);
});

await test('a reply subject that is no inbox gets nothing', async () => {
	const seen = [];
	const sub = nc.subscribe('spu.event.acme.trap', { callback: (_, m) => seen.push(m) });
	nc.publish('spu.query.acme', wire.encode('Query', { mesh: {} }), { reply: 'spu.event.acme.trap' });
	const inbox = 'spu.inbox.acme.1';
	const own = nc.subscribe(inbox, { max: 1, callback: (_, m) => seen.push(m) });
	nc.publish('spu.query.acme', wire.encode('Query', { mesh: {} }), { reply: inbox });
	await until(() => seen.length > 0);
	await sleep(100);
	assert.deepEqual(seen.map((m) => m.subject), [inbox]);
	sub.unsubscribe();
	own.unsubscribe();
});

await test('cancel', async () => {
	const { task } = await client.submit('util.echo', wire.body({ sleep_ms: 60000 }, ['never']));
	await client.event(task, (e) => e.change?.state === 'STATE_RUNNING');
	assert.equal((await client.query({ result: { task } })).result.state, 'STATE_RUNNING');
	const reply = await client.query({ cancel: { task } });
	assert.equal(reply.task.state, 'STATE_CANCELLED');
	const end = await client.end(task);
	assert.equal(end.state, 'STATE_CANCELLED');
	assert.equal(end.error.code, errors.CANCELLED);
	assert.equal((await client.query({ cancel: { task } })).task.state, 'STATE_CANCELLED'); // twice does no harm
});

await test('a deadline', async () => {
	const end = await client.run('util.echo', wire.body({ sleep_ms: 60000 }, []), { deadline_ms: String(Date.now() + 500) });
	assert.equal(end.state, 'STATE_EXPIRED');
	assert.equal(end.error.code, errors.EXPIRED);
});

await test('a failed attempt is tried again', async () => {
	const { task } = await client.submit('util.echo', wire.body({ fail: 'once' }, ['again']));
	const end = await client.end(task);
	assert.equal(end.state, 'STATE_SUCCEEDED');
	assert.equal(end.attempts, 2);
	const { explain } = await client.query({ explain: { task } });
	assert.ok(explain.step.some((s) => s.kind === 'STEP_FAILED' && s.code === errors.LOST));
	assert.ok(explain.step.some((s) => s.kind === 'STEP_RETRY'));
});

await test('service discovery', async () => {
	const found = [];
	for await (const m of await nc.requestMany('$SRV.PING', '', { maxWait: 1000, strategy: 'stall', stall: 300 }))
		found.push(m.json());
	assert.deepEqual(found.map((f) => f.name).sort(), ['spu-cpu-node', 'spu-router']);
	assert.ok(found.every((f) => f.type === 'io.nats.micro.v1.ping_response'));
	const info = (await nc.request('$SRV.INFO.spu-router')).json();
	assert.ok(info.endpoints.some((e) => e.subject === 'spu.submit.*'));
});

// --- the other side: a node ------------------------------------------------------------------------------

const reverse = async ({ body }) => wire.body({}, body.item.map((i) => ({ ...i, data: Buffer.from(i.data).reverse() })));
const slow = async (job) => {
	job.progress(100, 'begun');
	job.chunk('one ');
	job.chunk('two');
	while (!job.signal.aborted)
		await sleep(20);
	throw new Error('stopped');
};
const dislike = async () => {
	throw Object.assign(new Error('not this one'), { spu: errors.INVALID });
};
const node = new Node(nc, wire, 'stranger-1', 2, { 'demo.reverse': reverse, 'demo.slow': slow, 'demo.dislike': dislike });

await test('a node is known by its offer', async () => {
	const view = await until(() => nodeView('stranger-1'));
	assert.equal(view.state, 'NODE_UP');
	assert.equal(view.offer.device, 'a stranger');
	assert.deepEqual(view.offer.kind.map((k) => k.kind), ['demo.reverse', 'demo.slow', 'demo.dislike']);
});

await test('it does a kind that nobody else knows', async () => {
	const reply = await client.submit('demo.reverse', wire.body({}, ['stressed', 'drawer']));
	const end = await client.end(reply.task);
	assert.equal(end.state, 'STATE_SUCCEEDED', JSON.stringify(end));
	assert.deepEqual(texts(end.body), ['desserts', 'reward']);
	assert.equal(end.node, 'stranger-1');
	const { assign } = node.orders.find((o) => o.assign?.task === reply.task);
	assert.equal(assign.tenant, 'acme');
	assert.equal(assign.attempt, 1);
	assert.equal(assign.lease_ms, '30000');
});

await test('its errors reach the submitter', async () => {
	const end = await client.run('demo.dislike', wire.body());
	assert.equal(end.state, 'STATE_FAILED');
	assert.equal(end.error.code, errors.INVALID);
	assert.equal(end.error.detail, 'not this one');
});

await test('progress, chunks and a cancel pass through', async () => {
	const { task } = await client.submit('demo.slow', wire.body());
	const chunk = await client.event(task, (e) => e.chunk?.seq === '2');
	assert.equal(String(chunk.chunk.data), 'two');
	assert.ok(client.events(task).some((e) => e.progress?.permille === 100 && e.progress.note === 'begun'));
	await client.query({ cancel: { task } });
	assert.equal((await client.end(task)).state, 'STATE_CANCELLED');
	await until(() => node.held.size === 0);
	assert.ok(node.orders.some((o) => o.cancel?.task === task));
});

await test('what exceeds its slots waits', async () => {
	const replies = await client.submits([0, 1, 2].map(() => ({ kind: 'demo.slow', body: wire.body() })));
	await until(() => node.held.size === 2);
	await sleep(200);
	assert.equal(node.held.size, 2);
	const states = await Promise.all(replies.map(async (r) => (await client.query({ status: { task: r.task } })).task.state));
	assert.deepEqual(states, ['STATE_RUNNING', 'STATE_RUNNING', 'STATE_QUEUED']);
	for (const { task } of replies)
		await client.query({ cancel: { task } });
	await until(() => node.held.size === 0);
});

await test('an attempt that is not current is called off, and its result changes nothing', async () => {
	const { task } = await client.submit('demo.slow', wire.body());
	await until(() => node.held.get(task));
	node.offer([{ task, attempt: 9 }]);
	await until(() => node.orders.some((o) => o.cancel?.task === task && o.cancel.attempt === 9));
	nc.publish('spu.up.stranger-1', wire.encode('Ups', { up: [{ done: { task, attempt: 9, body: wire.body({}, ['forged']) } }] }));
	await sleep(100);
	assert.equal((await client.query({ status: { task } })).task.state, 'STATE_RUNNING');
	await client.query({ cancel: { task } });
	await until(() => node.held.size === 0);
});

await test('drain', async () => {
	const operator = new Client(nc, wire, 'local');
	const reply = await operator.query({ drain: { node: 'stranger-1', on: true } });
	assert.equal(reply.nodes.node[0].drain_asked, true);
	await until(() => node.draining);
	await until(async () => (await nodeView('stranger-1')).offer.draining);
	// on its last rung a task waits; from any other it would go down the ladder
	const { task } = await client.submit('demo.reverse', wire.body({}, ['later']), { allow: ['RUNG_CPU'] });
	await sleep(200);
	assert.equal((await client.query({ status: { task } })).task.state, 'STATE_QUEUED');
	await operator.query({ drain: { node: 'stranger-1', on: false } });
	assert.deepEqual(texts((await client.end(task)).body), ['retal']);
});

await test('a goodbye gives its attempts back', async () => {
	const { task } = await client.submit('demo.slow', wire.body(), { start_within_ms: '1000' });
	await until(() => node.held.get(task));
	node.close();
	await until(async () => (await nodeView('stranger-1')).state === 'NODE_GONE');
	const end = await client.end(task);
	assert.equal(end.state, 'STATE_DEAD');
	assert.equal(end.error.code, errors.LOST);
	node.held.get(task).abort.abort();
});

await nc.flush();
await nc.close();
process.exit(failed > 0 ? 1 : 0);
