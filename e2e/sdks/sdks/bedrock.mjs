// @aws-sdk/client-bedrock-runtime: Converse, ConverseStream, tools and counts, over HTTP/2 without TLS as it does by
// itself for an http:// endpoint. Its key is AWS_BEARER_TOKEN_BEDROCK, which walk.mjs sets.
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, CountTokensCommand } from '@aws-sdk/client-bedrock-runtime';
import { personSchema, picture, prompt, run, system } from '../tasks.mjs';

export const open = (row, note) => {
  const client = new BedrockRuntimeClient({ endpoint: row.base, region: 'us-east-1', maxAttempts: 1 });
  client.middlewareStack.add(
    (next) => async (args) => {
      const out = await next(args);
      note(out.response.statusCode, (name) => out.response.headers[name]);
      return out;
    },
    { step: 'deserialize', priority: 'low', name: 'note' },
  );
  return client;
};

const messages = [{ role: 'user', content: [{ text: prompt }] }];
const usage = (got, u) => u && Object.assign(got, { input: u.inputTokens + (u.cacheReadInputTokens ?? 0) + (u.cacheWriteInputTokens ?? 0), output: u.outputTokens });
const read = (got, m) => {
  for (const c of m.content) {
    got.text += c.text ?? c.citationsContent?.content?.map((t) => t.text).join('') ?? '';
    got.thinking += c.reasoningContent?.reasoningText?.text ?? '';
  }
};
const ask = async (client, got, params) => {
  const r = await client.send(new ConverseCommand(params));
  read(got, r.output.message);
  got.finish = r.stopReason;
  usage(got, r.usage);
  return r.output.message;
};
const stream = async (client, got, params) => {
  const r = await client.send(new ConverseStreamCommand(params));
  const content = [];
  got.finish = undefined;
  for await (const e of r.stream) {
    got.chunks++;
    const start = e.contentBlockStart;
    if (start?.start?.toolUse) content[start.contentBlockIndex] = { toolUse: { ...start.start.toolUse, input: '' } };
    const at = e.contentBlockDelta?.contentBlockIndex;
    const d = e.contentBlockDelta?.delta;
    if (d?.text !== undefined) (content[at] ??= { text: '' }).text += d.text;
    if (d?.toolUse) content[at].toolUse.input += d.toolUse.input;
    if (d?.reasoningContent) {
      const t = (content[at] ??= { reasoningContent: { reasoningText: { text: '' } } }).reasoningContent.reasoningText;
      t.text += d.reasoningContent.text ?? '';
      if (d.reasoningContent.signature) t.signature = d.reasoningContent.signature;
    }
    got.finish = e.messageStop?.stopReason ?? got.finish;
    usage(got, e.metadata?.usage);
  }
  if (!got.finish) throw new Error('the stream ended without messageStop');
  for (const c of content) if (c?.toolUse) c.toolUse.input = JSON.parse(c.toolUse.input || '{}');
  const message = { role: 'assistant', content: content.filter(Boolean) };
  read(got, message);
  return message;
};
const loop = async (got, tools, turn, params) => {
  const list = [...messages];
  const toolConfig = { tools: tools.map((t) => ({ toolSpec: { name: t.name, description: t.description, inputSchema: { json: t.schema } } })) };
  for (let n = 0; n < 4; n++) {
    got.text = '';
    const m = await turn({ ...params, system: [{ text: system }], messages: list, toolConfig });
    list.push(m);
    const calls = m.content.filter((c) => c.toolUse).map((c) => c.toolUse);
    if (calls.length === 0) return;
    got.calls.push(...calls.map((c) => ({ name: c.name, args: c.input })));
    list.push({ role: 'user', content: calls.map((c) => ({ toolResult: { toolUseId: c.toolUseId, content: [{ text: run(c.name) }] } })) });
  }
  throw new Error('the model goes on calling');
};
const thinks = { additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 2000 } }, inferenceConfig: { maxTokens: 4096 } };

export const does = {
  text: (client, modelId, got) => ask(client, got, { modelId, system: [{ text: system }], messages, inferenceConfig: { temperature: 0.5, maxTokens: 500, stopSequences: ['###'] } }),
  stream: (client, modelId, got) => stream(client, got, { modelId, messages }),
  tools: (client, modelId, got, tools) => loop(got, tools, (p) => ask(client, got, p), { modelId }),
  'tools-stream': (client, modelId, got, tools) => loop(got, tools, (p) => stream(client, got, p), { modelId }),
  async schema(client, modelId, got) {
    const structure = { jsonSchema: { schema: JSON.stringify(personSchema), name: 'person' } };
    await ask(client, got, { modelId, messages, outputConfig: { textFormat: { type: 'json_schema', structure } } });
    got.object = JSON.parse(got.text);
  },
  image: (client, modelId, got) =>
    ask(client, got, { modelId, messages: [{ role: 'user', content: [{ text: 'What is this?' }, { image: { format: 'png', source: { bytes: Buffer.from(picture, 'base64') } } }] }] }),
  thinking: (client, modelId, got) => ask(client, got, { modelId, messages, ...thinks }),
  'thinking-stream': (client, modelId, got) => stream(client, got, { modelId, messages, ...thinks }),
  'thinking-tools': (client, modelId, got, tools) => loop(got, tools, (p) => stream(client, got, p), { modelId, ...thinks }),
  async count(client, modelId, got) {
    got.tokens = (await client.send(new CountTokensCommand({ modelId, input: { converse: { messages } } }))).inputTokens;
  },
  fail: (client, modelId, got) => ask(client, got, { modelId, messages }),
  'fail-stream': (client, modelId, got) => stream(client, got, { modelId, messages }),
};
