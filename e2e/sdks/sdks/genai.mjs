// @google/genai: generateContent, its stream, tools, embeddings and counts.
import { GoogleGenAI } from '@google/genai';
import { personSchema, picture, prompt, run, system } from '../tasks.mjs';

export const open = (row) => new GoogleGenAI({ apiKey: row.key, httpOptions: { baseUrl: row.base, timeout: 20000 } });

const thinkingConfig = { includeThoughts: true, thinkingBudget: 1024 };
const read = (got, r) => {
  for (const p of r.candidates?.[0]?.content?.parts ?? []) {
    if (p.thought) got.thinking += p.text ?? '';
    else got.text += p.text ?? '';
  }
  got.finish = r.candidates?.[0]?.finishReason ?? got.finish;
  const u = r.usageMetadata;
  if (u) Object.assign(got, { input: u.promptTokenCount, output: (u.candidatesTokenCount ?? 0) + (u.thoughtsTokenCount ?? 0) });
};
const ask = async (client, got, model, config, contents = prompt) => read(got, await client.models.generateContent({ model, contents, config }));
const stream = async (client, got, model, config) => {
  for await (const r of await client.models.generateContentStream({ model, contents: prompt, config })) {
    got.chunks++;
    read(got, r);
  }
  if (!got.finish) throw new Error('the stream ended without a finish reason');
};
const offer = (tools) => [{ functionDeclarations: tools.map((t) => ({ name: t.name, description: t.description, parametersJsonSchema: t.schema })) }];
const answers = (got, calls) => {
  got.calls.push(...calls.map((c) => ({ name: c.name, args: c.args ?? {} })));
  return calls.map((c) => ({ functionResponse: { id: c.id, name: c.name, response: { result: run(c.name) } } }));
};
const loop = async (client, got, model, config, streamed) => {
  const chat = client.chats.create({ model, config });
  let message = prompt;
  for (let n = 0; n < 4; n++) {
    let calls = [];
    got.text = '';
    if (streamed) {
      for await (const r of await chat.sendMessageStream({ message })) {
        read(got, r);
        calls.push(...(r.functionCalls ?? []));
      }
    } else {
      const r = await chat.sendMessage({ message });
      read(got, r);
      calls = r.functionCalls ?? [];
    }
    if (calls.length === 0) return;
    message = answers(got, calls);
  }
  throw new Error('the model goes on calling');
};

export const does = {
  text: (client, model, got) => ask(client, got, model, { systemInstruction: system, temperature: 0.5, stopSequences: ['###'] }),
  stream: (client, model, got) => stream(client, got, model),
  tools: (client, model, got, tools) => loop(client, got, model, { tools: offer(tools), systemInstruction: system }, false),
  'tools-stream': (client, model, got, tools) => loop(client, got, model, { tools: offer(tools) }, true),
  async schema(client, model, got) {
    await ask(client, got, model, { responseMimeType: 'application/json', responseJsonSchema: personSchema });
    got.object = JSON.parse(got.text);
  },
  image: (client, model, got) => ask(client, got, model, undefined, [{ role: 'user', parts: [{ text: 'What is this?' }, { inlineData: { mimeType: 'image/png', data: picture } }] }]),
  thinking: (client, model, got) => ask(client, got, model, { thinkingConfig, maxOutputTokens: 4096 }),
  'thinking-stream': (client, model, got) => stream(client, got, model, { thinkingConfig, maxOutputTokens: 4096 }),
  'thinking-tools': (client, model, got, tools) => loop(client, got, model, { tools: offer(tools), thinkingConfig, maxOutputTokens: 4096 }, true),
  async embed(client, model, got) {
    const e = await client.models.embedContent({ model, contents: ['a', 'b'] });
    got.vectors = e.embeddings.map((v) => v.values.length);
  },
  async count(client, model, got) {
    got.tokens = (await client.models.countTokens({ model, contents: prompt })).totalTokens;
  },
  fail: (client, model, got) => ask(client, got, model),
  'fail-stream': (client, model, got) => stream(client, got, model),
};
