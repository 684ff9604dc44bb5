// ollama: chat, its stream, tools, generate, embed and list.
import { Ollama } from 'ollama';
import { personSchema, picture, prompt, run, system } from '../tasks.mjs';

export const open = (row) => new Ollama({ host: row.base, headers: { Authorization: `Bearer ${row.key}` } });

const messages = [{ role: 'system', content: system }, { role: 'user', content: prompt }];
const read = (got, r) => {
  got.text += r.message.content ?? '';
  got.thinking += r.message.thinking ?? '';
  if (r.done) Object.assign(got, { finish: r.done_reason, input: r.prompt_eval_count, output: r.eval_count });
};
const ask = async (client, got, params) => read(got, await client.chat(params));
const stream = async (client, got, params) => {
  const message = { role: 'assistant', content: '', tool_calls: [] };
  for await (const r of await client.chat({ ...params, stream: true })) {
    got.chunks++;
    read(got, r);
    message.content += r.message.content ?? '';
    message.tool_calls.push(...(r.message.tool_calls ?? []));
  }
  if (!got.finish) throw new Error('the stream ended before it was done');
  return message;
};
const loop = async (got, tools, turn, params) => {
  const list = [...messages];
  const offered = tools.map((t) => ({ type: 'function', function: { name: t.name, description: t.description, parameters: t.schema } }));
  for (let n = 0; n < 4; n++) {
    Object.assign(got, { text: '', finish: undefined });
    const m = await turn({ ...params, messages: list, tools: offered });
    list.push(m);
    if (!m.tool_calls?.length) return;
    for (const c of m.tool_calls) {
      got.calls.push({ name: c.function.name, args: c.function.arguments });
      list.push({ role: 'tool', tool_name: c.function.name, content: run(c.function.name) });
    }
  }
  throw new Error('the model goes on calling');
};
const complete = (client, got) => async (p) => {
  const r = await client.chat(p);
  read(got, r);
  return r.message;
};

export const does = {
  text: (client, model, got) => ask(client, got, { model, messages, options: { temperature: 0.5, stop: ['###'], seed: 7 } }),
  stream: (client, model, got) => stream(client, got, { model, messages }),
  async generate(client, model, got) {
    const r = await client.generate({ model, prompt, system });
    Object.assign(got, { text: r.response, input: r.prompt_eval_count, output: r.eval_count });
  },
  async 'generate-stream'(client, model, got) {
    for await (const r of await client.generate({ model, prompt, system, stream: true })) {
      got.text += r.response;
      if (r.done) Object.assign(got, { input: r.prompt_eval_count, output: r.eval_count });
    }
  },
  tools: (client, model, got, tools) => loop(got, tools, complete(client, got), { model }),
  'tools-stream': (client, model, got, tools) => loop(got, tools, (p) => stream(client, got, p), { model }),
  async schema(client, model, got) {
    await ask(client, got, { model, messages, format: personSchema });
    got.object = JSON.parse(got.text);
  },
  image: (client, model, got) => ask(client, got, { model, messages: [{ role: 'user', content: 'What is this?', images: [picture] }] }),
  thinking: (client, model, got) => ask(client, got, { model, messages, think: true }),
  'thinking-stream': (client, model, got) => stream(client, got, { model, messages, think: true }),
  async embed(client, model, got) {
    const e = await client.embed({ model, input: ['a', 'b'] });
    got.vectors = e.embeddings.map((v) => v.length);
  },
  async list(client, model, got) {
    got.ids = (await client.list()).models.map((m) => m.model);
  },
  fail: (client, model, got) => ask(client, got, { model, messages }),
  'fail-stream': (client, model, got) => stream(client, got, { model, messages }),
};
