// The Vercel AI SDK: what its programs do, with any of its providers.
import { embedMany, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { person, picture, prompt, run, system } from './tasks.mjs';

const common = { maxRetries: 0 };
const read = (got, r) => {
  got.text = r.text;
  got.thinking ||= r.reasoningText ?? '';
  got.finish = r.finishReason;
  Object.assign(got, { input: r.usage.inputTokens, output: r.usage.outputTokens });
};
const ask = async (got, params) => read(got, await generateText({ ...common, ...params }));
const stream = async (got, params) => {
  let failed;
  const s = streamText({ ...common, ...params, onError: ({ error }) => (failed = error) });
  for await (const delta of s.textStream) {
    got.chunks++;
    got.text += delta;
  }
  if (failed) throw failed;
  if (['other', 'unknown'].includes(await s.finishReason)) throw new Error('the stream ended without a finish reason');
  read(got, { text: await s.text, reasoningText: (await s.steps).map((x) => x.reasoningText ?? '').join(''), finishReason: await s.finishReason, usage: await s.usage });
};
const offered = (got, tools) =>
  Object.fromEntries(
    tools.map((t) => [
      t.name,
      tool({
        description: t.description,
        inputSchema: t.zod,
        execute: (args) => {
          got.calls.push({ name: t.name, args });
          return run(t.name);
        },
      }),
    ]),
  );

// does makes the actions of a provider: make gives a model, thinks are the provider's options for reasoning.
export const does = (make, thinks, embedding) => ({
  text: (client, model, got) => ask(got, { model: make(client, model), system, prompt, temperature: 0.5, stopSequences: ['###'] }),
  stream: (client, model, got) => stream(got, { model: make(client, model), prompt }),
  tools: (client, model, got, tools) => ask(got, { model: make(client, model), system, prompt, tools: offered(got, tools), stopWhen: stepCountIs(4) }),
  'tools-stream': (client, model, got, tools) =>
    stream(got, { model: make(client, model), prompt, tools: offered(got, tools), stopWhen: stepCountIs(4) }),
  async schema(client, model, got) {
    got.object = (await generateText({ ...common, model: make(client, model), prompt, output: Output.object({ schema: person }) })).output;
  },
  image: (client, model, got) =>
    ask(got, { model: make(client, model), messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image', image: picture, mediaType: 'image/png' }] }] }),
  thinking: (client, model, got) => ask(got, { model: make(client, model), prompt, providerOptions: thinks, maxOutputTokens: 4096 }),
  'thinking-stream': (client, model, got) => stream(got, { model: make(client, model), prompt, providerOptions: thinks, maxOutputTokens: 4096 }),
  'thinking-tools': (client, model, got, tools) =>
    stream(got, { model: make(client, model), prompt, providerOptions: thinks, maxOutputTokens: 4096, tools: offered(got, tools), stopWhen: stepCountIs(4) }),
  ...(embedding && {
    async embed(client, model, got) {
      got.vectors = (await embedMany({ ...common, model: embedding(client, model), values: ['a', 'b'] })).embeddings.map((v) => v.length);
    },
  }),
  fail: (client, model, got) => ask(got, { model: make(client, model), prompt }),
  'fail-stream': (client, model, got) => stream(got, { model: make(client, model), prompt }),
});
