// @mistralai/mistralai: chat, its stream, tools and embeddings.
import { Mistral } from '@mistralai/mistralai';
import { person, picture, prompt, run, system } from '../tasks.mjs';

export const open = (row) => new Mistral({ serverURL: row.base, apiKey: row.key, retryConfig: { strategy: 'none' }, timeoutMs: 20000 });

const messages = [{ role: 'system', content: system }, { role: 'user', content: prompt }];
const add = (got, content) => {
  if (typeof content === 'string') got.text += content;
  for (const c of Array.isArray(content) ? content : []) {
    if (c.type === 'text') got.text += c.text;
    if (c.type === 'thinking') got.thinking += c.thinking.map((t) => t.text).join('');
  }
};
const usage = (got, u) => u && Object.assign(got, { input: u.promptTokens, output: u.completionTokens });
const ask = async (client, got, params) => {
  const c = await client.chat.complete(params);
  add(got, c.choices[0].message.content);
  got.finish = c.choices[0].finishReason;
  usage(got, c.usage);
};
const stream = async (client, got, params) => {
  const calls = [];
  for await (const { data } of await client.chat.stream(params)) {
    got.chunks++;
    const choice = data.choices[0];
    add(got, choice?.delta?.content);
    for (const t of choice?.delta?.toolCalls ?? []) {
      const c = (calls[t.index ?? calls.length] ??= { id: t.id, type: 'function', function: { name: '', arguments: '' } });
      c.function.name += t.function.name ?? '';
      c.function.arguments += typeof t.function.arguments === 'string' ? t.function.arguments : JSON.stringify(t.function.arguments);
    }
    got.finish = choice?.finishReason ?? got.finish;
    usage(got, data.usage);
  }
  return { role: 'assistant', content: got.text, toolCalls: calls.filter(Boolean) };
};
const loop = async (got, tools, turn, params) => {
  const list = [...messages];
  const offered = tools.map((t) => ({ type: 'function', function: { name: t.name, description: t.description, parameters: t.schema } }));
  for (let n = 0; n < 4; n++) {
    got.text = '';
    const m = await turn({ ...params, messages: list, tools: offered });
    list.push(m);
    if (!m.toolCalls?.length) return;
    for (const c of m.toolCalls) {
      const args = c.function.arguments;
      got.calls.push({ name: c.function.name, args: typeof args === 'string' ? JSON.parse(args || '{}') : args });
      list.push({ role: 'tool', toolCallId: c.id, name: c.function.name, content: run(c.function.name) });
    }
  }
  throw new Error('the model goes on calling');
};
const complete = (client, got) => async (p) => {
  const m = (await client.chat.complete(p)).choices[0].message;
  add(got, m.content);
  return m;
};

export const does = {
  text: (client, model, got) => ask(client, got, { model, messages, temperature: 0.5, stop: ['###'] }),
  stream: (client, model, got) => stream(client, got, { model, messages }),
  tools: (client, model, got, tools) => loop(got, tools, complete(client, got), { model }),
  'tools-stream': (client, model, got, tools) => loop(got, tools, (p) => stream(client, got, p), { model }),
  async schema(client, model, got) {
    const c = await client.chat.parse({ model, messages, responseFormat: person });
    got.object = c.choices[0].message.parsed;
  },
  image: (client, model, got) =>
    ask(client, got, { model, messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', imageUrl: `data:image/png;base64,${picture}` }] }] }),
  thinking: (client, model, got) => ask(client, got, { model, messages, reasoningEffort: 'high' }),
  'thinking-stream': (client, model, got) => stream(client, got, { model, messages, reasoningEffort: 'high' }),
  async embed(client, model, got) {
    const e = await client.embeddings.create({ model, inputs: ['a', 'b'] });
    got.vectors = e.data.map((d) => d.embedding.length);
  },
  fail: (client, model, got) => ask(client, got, { model, messages }),
  'fail-stream': (client, model, got) => stream(client, got, { model, messages }),
};
