// @anthropic-ai/sdk: messages, its stream helpers, tools and thinking.
import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { person, picture, prompt, run, system } from '../tasks.mjs';

export const open = (row) => new Anthropic({ baseURL: row.base, apiKey: row.key, maxRetries: 0, timeout: 20000 });

const messages = [{ role: 'user', content: prompt }];
const base = { max_tokens: 4096, messages };
const thinks = { thinking: { type: 'enabled', budget_tokens: 2000 } };
const read = (got, m) => {
  got.text = m.content.filter((b) => b.type === 'text').map((b) => b.text).join('');
  got.thinking ||= m.content.filter((b) => b.type === 'thinking').map((b) => b.thinking).join('');
  got.finish = m.stop_reason;
  got.input ??= m.usage.input_tokens + (m.usage.cache_read_input_tokens ?? 0) + (m.usage.cache_creation_input_tokens ?? 0);
  got.output ??= m.usage.output_tokens;
};
const ask = async (client, got, params) => read(got, await client.messages.create(params));
const stream = async (client, got, params) => {
  const s = client.messages.stream(params);
  let text = '';
  s.on('text', (delta) => {
    got.chunks++;
    text += delta;
  });
  const m = await s.finalMessage();
  read(got, m);
  if (text !== got.text) throw new Error(`the deltas say ${text}, the message ${got.text}`);
};
const loop = async (got, tools, turn, params) => {
  const list = [...messages];
  const offered = tools.map((t) => ({ name: t.name, description: t.description, input_schema: t.schema }));
  for (let n = 0; n < 4; n++) {
    const m = await turn({ ...base, ...params, system, messages: list, tools: offered });
    read(got, m);
    list.push({ role: 'assistant', content: m.content });
    const calls = m.content.filter((b) => b.type === 'tool_use');
    if (calls.length === 0) return;
    if (m.stop_reason !== 'tool_use') throw new Error(`it calls, and stops for ${m.stop_reason}`);
    got.calls.push(...calls.map((c) => ({ name: c.name, args: c.input })));
    list.push({ role: 'user', content: calls.map((c) => ({ type: 'tool_result', tool_use_id: c.id, content: run(c.name) })) });
  }
  throw new Error('the model goes on calling');
};

export const does = {
  text: (client, model, got) => ask(client, got, { ...base, model, system, temperature: 0.5, stop_sequences: ['###'], metadata: { user_id: 'u-1' } }),
  stream: (client, model, got) => stream(client, got, { ...base, model }),
  tools: (client, model, got, tools) => loop(got, tools, (p) => client.messages.create(p), { model }),
  'tools-stream': (client, model, got, tools) => loop(got, tools, (p) => client.messages.stream(p).finalMessage(), { model }),
  async runner(client, model, got, tools) {
    const offered = tools.map((t) =>
      betaZodTool({
        name: t.name,
        description: t.description,
        inputSchema: t.zod,
        run: (args) => {
          got.calls.push({ name: t.name, args });
          return run(t.name);
        },
      }),
    );
    read(got, await client.beta.messages.toolRunner({ ...base, model, tools: offered }));
  },
  async schema(client, model, got) {
    const m = await client.messages.parse({ ...base, model, output_config: { format: zodOutputFormat(person) } });
    got.object = m.parsed_output;
  },
  image: (client, model, got) =>
    ask(client, got, { ...base, model, messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: picture } }, { type: 'text', text: 'What is this?' }] }] }),
  thinking: (client, model, got) => ask(client, got, { ...base, ...thinks, model }),
  'thinking-stream': (client, model, got) => stream(client, got, { ...base, ...thinks, model }),
  'thinking-tools': (client, model, got, tools) => loop(got, tools, (p) => client.messages.stream(p).finalMessage(), { model, ...thinks }),
  async count(client, model, got) {
    got.tokens = (await client.messages.countTokens({ model, messages })).input_tokens;
  },
  fail: (client, model, got) => ask(client, got, { ...base, model }),
  'fail-stream': (client, model, got) => stream(client, got, { ...base, model }),
};
