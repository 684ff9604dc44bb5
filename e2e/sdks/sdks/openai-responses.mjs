// The openai package: Responses.
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { person, picture, prompt, run, system } from '../tasks.mjs';

export const open = (row) => new OpenAI({ baseURL: `${row.base}/v1`, apiKey: row.key, maxRetries: 0, timeout: 20000 });

const usage = (got, r) => {
  got.input ??= r.usage?.input_tokens;
  got.output ??= r.usage?.output_tokens;
};
const thoughts = (r) => r.output.filter((o) => o.type === 'reasoning').flatMap((o) => [...(o.summary ?? []), ...(o.content ?? [])]).map((s) => s.text).join('');
const ask = async (client, got, params) => {
  const r = await client.responses.create(params);
  Object.assign(got, { text: r.output_text, thinking: thoughts(r) });
  usage(got, r);
};
const stream = async (client, got, params) => {
  const s = client.responses.stream(params);
  s.on('response.output_text.delta', (e) => {
    got.chunks++;
    got.text += e.delta;
  });
  const r = await s.finalResponse();
  if (r.output_text !== got.text) throw new Error(`the deltas say ${got.text}, the response ${r.output_text}`);
  got.thinking = thoughts(r);
  usage(got, r);
};
// loop runs the tools that are called, until the model speaks.
const loop = async (got, tools, turn, params) => {
  const input = [{ role: 'user', content: prompt }];
  const offered = tools.map((t) => ({ type: 'function', name: t.name, description: t.description, parameters: t.schema, strict: false }));
  for (let n = 0; n < 4; n++) {
    const r = await turn({ ...params, instructions: system, store: false, tools: offered, input });
    input.push(...r.output);
    const calls = r.output.filter((o) => o.type === 'function_call');
    got.text = r.output_text;
    got.thinking ||= thoughts(r);
    if (calls.length === 0) return;
    for (const c of calls) {
      got.calls.push({ name: c.name, args: JSON.parse(c.arguments) });
      input.push({ type: 'function_call_output', call_id: c.call_id, output: run(c.name) });
    }
  }
  throw new Error('the model goes on calling');
};

export const does = {
  text: (client, model, got) => ask(client, got, { model, instructions: system, input: prompt, temperature: 0.5 }),
  stream: (client, model, got) => stream(client, got, { model, input: prompt }),
  tools: (client, model, got, tools) => loop(got, tools, (p) => client.responses.create(p), { model }),
  'tools-stream': (client, model, got, tools) => loop(got, tools, (p) => client.responses.stream(p).finalResponse(), { model }),
  async schema(client, model, got) {
    const r = await client.responses.parse({ model, input: prompt, text: { format: zodTextFormat(person, 'person') } });
    got.object = r.output_parsed;
  },
  image: (client, model, got) =>
    ask(client, got, { model, input: [{ role: 'user', content: [{ type: 'input_text', text: 'What is this?' }, { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${picture}` }] }] }),
  thinking: (client, model, got) => ask(client, got, { model, input: prompt, reasoning: { effort: 'medium', summary: 'auto' }, max_output_tokens: 4096 }),
  'thinking-stream': (client, model, got) => stream(client, got, { model, input: prompt, reasoning: { effort: 'medium', summary: 'auto' }, max_output_tokens: 4096 }),
  'thinking-tools': (client, model, got, tools) =>
    loop(got, tools, (p) => client.responses.create(p), { model, reasoning: { effort: 'medium', summary: 'auto' }, include: ['reasoning.encrypted_content'], max_output_tokens: 4096 }),
  fail: (client, model, got) => ask(client, got, { model, input: prompt }),
  'fail-stream': (client, model, got) => stream(client, got, { model, input: prompt }),
};
