// cohere-ai: chat of version 2, its stream, tools, embed and rerank.
import { CohereClientV2 } from 'cohere-ai';
import { personSchema, picture, prompt, run, system } from '../tasks.mjs';

export const open = (row) => new CohereClientV2({ environment: row.base, token: row.key, maxRetries: 0 });

const options = { maxRetries: 0, timeoutInSeconds: 20 };
const messages = [{ role: 'system', content: system }, { role: 'user', content: prompt }];
const usage = (got, u) => u?.tokens && Object.assign(got, { input: u.tokens.inputTokens, output: u.tokens.outputTokens });
const read = (got, r) => {
  for (const c of r.message.content ?? []) {
    if (c.type === 'text') got.text += c.text;
    if (c.type === 'thinking') got.thinking += c.thinking;
  }
  got.finish = r.finishReason;
  usage(got, r.usage);
};
const ask = async (client, got, params) => read(got, await client.chat(params, options));
const stream = async (client, got, params) => {
  const message = { role: 'assistant', toolCalls: [] };
  for await (const e of await client.chatStream(params, options)) {
    got.chunks++;
    const m = e.delta?.message;
    switch (e.type) {
      case 'content-start':
      case 'content-delta':
        got.text += m.content.text ?? '';
        got.thinking += m.content.thinking ?? '';
        break;
      case 'tool-call-start':
        message.toolCalls.push(structuredClone(m.toolCalls));
        break;
      case 'tool-call-delta':
        message.toolCalls.at(-1).function.arguments += m.toolCalls.function.arguments;
        break;
      case 'message-end':
        got.finish = e.delta.finishReason;
        usage(got, e.delta.usage);
        break;
    }
  }
  if (!got.finish) throw new Error('the stream ended without message-end');
  if (got.finish === 'ERROR') throw new Error('the stream ended with finish reason ERROR');
  return message;
};
const loop = async (got, tools, turn, params) => {
  const list = [...messages];
  const offered = tools.map((t) => ({ type: 'function', function: { name: t.name, description: t.description, parameters: t.schema } }));
  for (let n = 0; n < 4; n++) {
    Object.assign(got, { text: '', finish: undefined });
    const m = await turn({ ...params, messages: list, tools: offered });
    if (!m.toolCalls?.length) return;
    list.push({ role: 'assistant', toolCalls: m.toolCalls, toolPlan: m.toolPlan ?? '' });
    for (const c of m.toolCalls) {
      got.calls.push({ name: c.function.name, args: JSON.parse(c.function.arguments || '{}') });
      list.push({ role: 'tool', toolCallId: c.id, content: run(c.function.name) });
    }
  }
  throw new Error('the model goes on calling');
};
const complete = (client, got) => async (p) => {
  const r = await client.chat(p, options);
  read(got, r);
  return r.message;
};
const thinking = { type: 'enabled' };

export const does = {
  text: (client, model, got) => ask(client, got, { model, messages, temperature: 0.5, stopSequences: ['###'] }),
  stream: (client, model, got) => stream(client, got, { model, messages }),
  tools: (client, model, got, tools) => loop(got, tools, complete(client, got), { model }),
  'tools-stream': (client, model, got, tools) => loop(got, tools, (p) => stream(client, got, p), { model }),
  async schema(client, model, got) {
    await ask(client, got, { model, messages, responseFormat: { type: 'json_object', jsonSchema: personSchema } });
    got.object = JSON.parse(got.text);
  },
  image: (client, model, got) =>
    ask(client, got, { model, messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', imageUrl: { url: `data:image/png;base64,${picture}` } }] }] }),
  thinking: (client, model, got) => ask(client, got, { model, messages, thinking }),
  'thinking-stream': (client, model, got) => stream(client, got, { model, messages, thinking }),
  async embed(client, model, got) {
    const e = await client.embed({ model, texts: ['a', 'b'], inputType: 'search_document', embeddingTypes: ['float'] }, options);
    got.vectors = e.embeddings.float.map((v) => v.length);
  },
  async rerank(client, model, got) {
    const r = await client.rerank({ model, query: 'q', documents: ['a', 'b'], topN: 2 }, options);
    got.vectors = r.results.map((x) => x.index);
  },
  fail: (client, model, got) => ask(client, got, { model, messages }),
  'fail-stream': (client, model, got) => stream(client, got, { model, messages }),
};
