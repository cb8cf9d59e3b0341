// SPDX-License-Identifier: Apache-2.0
// client: a tenant: submits, hears events, asks.

export class Client {
	constructor(nc, wire, tenant) {
		this.nc = nc;
		this.wire = wire;
		this.tenant = tenant;
		this.stream = `s${Math.random().toString(36).slice(2)}`;
		this.tasks = new Map(); // id -> { events, waiting }
		this.subscription = nc.subscribe(`spu.event.${tenant}.${this.stream}`, {
			callback: (err, m) => {
				if (!err)
					wire.decode('Events', m.data).event.forEach((e) => this.#hear(e));
			},
		});
	}

	#task(id) {
		if (!this.tasks.has(id))
			this.tasks.set(id, { events: [], waiting: [] });
		return this.tasks.get(id);
	}

	// Events may come before the reply that names their task, so they make its record, too.
	#hear(event) {
		const task = this.#task(event.task);
		task.events.push(event);
		task.waiting = task.waiting.filter((w) => !w(event));
	}

	events(id) {
		return this.#task(id).events;
	}

	// Resolves with the first event of the task, past or to come, that `wanted` accepts.
	event(id, wanted, seconds = 20) {
		const past = this.events(id).find(wanted);
		if (past)
			return past;
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => reject(new Error(`no such event of ${id} within ${seconds} s`)), seconds * 1000);
			this.#task(id).waiting.push((e) => {
				if (!wanted(e))
					return false;
				clearTimeout(timer);
				resolve(e);
				return true;
			});
		});
	}

	async end(id) {
		return (await this.event(id, (e) => e.what === 'end')).end;
	}

	async request(subject, type, message, reply) {
		const bytes = message instanceof Uint8Array ? message : this.wire.encode(type, message);
		return this.wire.decode(reply, (await this.nc.request(subject, bytes, { timeout: 5000 })).data);
	}

	// Many submits in one message; the replies, in their order.
	async submits(list) {
		const submit = list.map((s) => ({ stream: this.stream, ...s }));
		return (await this.request(`spu.submit.${this.tenant}`, 'Submits', { submit }, 'SubmitReplies')).reply;
	}

	async submit(kind, body, more = {}) {
		return (await this.submits([{ kind, body, ...more }]))[0];
	}

	// Submit, wait for the end, give the result.
	async run(kind, body, more = {}) {
		const reply = await this.submit(kind, body, more);
		if (reply.error)
			throw new Error(`${kind} was refused: ${reply.error.detail}`);
		return this.end(reply.task);
	}

	query(what) {
		return this.request(`spu.query.${this.tenant}`, 'Query', what, 'QueryReply');
	}
}
