// The openai package: chat completions, and embeddings.
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { person, picture, prompt, run, system } from '../tasks.mjs';

export const open = (row) => new OpenAI({ baseURL: `${row.base}/v1`, apiKey: row.key, maxRetries: 0, timeout: 20000 });

const messages = [{ role: 'system', content: system }, { role: 'user', content: prompt }];
const offered = (tools, got) =>
  tools.map((t) => ({
    type: 'function',
    function: {
      name: t.name,
      description: t.description,
      parameters: t.schema,
      parse: JSON.parse,
      function: (args) => {
        got.calls.push({ name: t.name, args });
        return run(t.name);
      },
    },
  }));
const usage = (got, u) => Object.assign(got, { input: u?.prompt_tokens, output: u?.completion_tokens });
const ask = async (client, got, params) => {
  const c = await client.chat.completions.create(params);
  const m = c.choices[0].message;
  Object.assign(got, { text: m.content, thinking: m.reasoning_content ?? m.reasoning ?? '', finish: c.choices[0].finish_reason });
  usage(got, c.usage);
};
const stream = async (client, got, params) => {
  for await (const chunk of await client.chat.completions.create({ ...params, stream: true, stream_options: { include_usage: true } })) {
    got.chunks++;
    const choice = chunk.choices[0];
    got.text += choice?.delta?.content ?? '';
    got.thinking += choice?.delta?.reasoning_content ?? choice?.delta?.reasoning ?? '';
    got.finish = choice?.finish_reason ?? got.finish;
    if (chunk.usage) usage(got, chunk.usage);
  }
};

export const does = {
  text: (client, model, got) => ask(client, got, { model, messages, temperature: 0.5, stop: ['###'], user: 'u-1' }),
  stream: (client, model, got) => stream(client, got, { model, messages }),
  async tools(client, model, got, tools) {
    got.text = await client.chat.completions.runTools({ model, messages, tools: offered(tools, got) }).finalContent();
  },
  async 'tools-stream'(client, model, got, tools) {
    const runner = client.chat.completions.runTools({ model, messages, tools: offered(tools, got), stream: true });
    runner.on('content', () => got.chunks++);
    got.text = await runner.finalContent();
  },
  async schema(client, model, got) {
    const c = await client.chat.completions.parse({ model, messages, response_format: zodResponseFormat(person, 'person') });
    got.object = c.choices[0].message.parsed;
  },
  image: (client, model, got) =>
    ask(client, got, { model, messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${picture}` } }] }] }),
  thinking: (client, model, got) => ask(client, got, { model, messages, reasoning_effort: 'medium', max_completion_tokens: 4096 }),
  'thinking-stream': (client, model, got) => stream(client, got, { model, messages, reasoning_effort: 'medium', max_completion_tokens: 4096 }),
  async 'thinking-tools'(client, model, got, tools) {
    got.text = await client.chat.completions.runTools({ model, messages, reasoning_effort: 'medium', max_completion_tokens: 4096, tools: offered(tools, got) }).finalContent();
  },
  async embed(client, model, got) {
    const e = await client.embeddings.create({ model, input: ['a', 'b'] });
    got.vectors = e.data.map((d) => d.embedding.length);
  },
  fail: (client, model, got) => ask(client, got, { model, messages }),
  'fail-stream': (client, model, got) => stream(client, got, { model, messages }),
};
