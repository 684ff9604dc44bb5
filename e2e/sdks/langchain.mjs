// LangChain.js: what its programs do, with any of its chat models.
import { HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { person, picture, prompt, run, system } from './tasks.mjs';

const messages = [new SystemMessage(system), new HumanMessage(prompt)];
const textOf = (content) => (typeof content === 'string' ? content : content.filter((c) => c.type === 'text').map((c) => c.text).join(''));
const thoughtsOf = (m) => (typeof m.content === 'string' ? '' : m.content.filter((c) => c.type === 'thinking').map((c) => c.thinking).join(''));
const read = (got, m) => {
  got.text = textOf(m.content);
  got.thinking ||= thoughtsOf(m);
  if (m.usage_metadata) Object.assign(got, { input: m.usage_metadata.input_tokens, output: m.usage_metadata.output_tokens });
};
const collect = async (got, stream) => {
  let all;
  for await (const chunk of stream) {
    got.chunks++;
    all = all ? all.concat(chunk) : chunk;
  }
  return all;
};
const loop = async (got, tools, turn) => {
  const list = [...messages];
  const offered = tools.map((t) => tool(() => run(t.name), { name: t.name, description: t.description, schema: t.schema }));
  for (let n = 0; n < 4; n++) {
    const m = await turn(offered, list);
    read(got, m);
    list.push(m);
    if (!m.tool_calls?.length) return;
    for (const c of m.tool_calls) {
      got.calls.push({ name: c.name, args: c.args });
      list.push(new ToolMessage({ tool_call_id: c.id, content: run(c.name), name: c.name }));
    }
  }
  throw new Error('the model goes on calling');
};

// does makes the actions of a chat model: make gives one by name and options, thinks are its options for reasoning.
export const does = (make, thinks) => ({
  text: async (client, model, got) => read(got, await make(client, model, { temperature: 0.5 }).invoke(messages, { stop: ['###'] })),
  stream: async (client, model, got) => read(got, await collect(got, await make(client, model).stream(messages))),
  tools: (client, model, got, tools) => loop(got, tools, (offered, list) => make(client, model).bindTools(offered).invoke(list)),
  'tools-stream': (client, model, got, tools) => loop(got, tools, async (offered, list) => collect(got, await make(client, model).bindTools(offered).stream(list))),
  async schema(client, model, got) {
    got.object = await make(client, model).withStructuredOutput(person, { name: 'person', method: 'jsonSchema' }).invoke(messages);
  },
  image: async (client, model, got) =>
    read(got, await make(client, model).invoke([new HumanMessage({ content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${picture}` } }] })])),
  thinking: async (client, model, got) => read(got, await make(client, model, thinks).invoke(messages)),
  'thinking-stream': async (client, model, got) => read(got, await collect(got, await make(client, model, thinks).stream(messages))),
  'thinking-tools': (client, model, got, tools) => loop(got, tools, (offered, list) => make(client, model, thinks).bindTools(offered).invoke(list)),
  fail: async (client, model, got) => read(got, await make(client, model).invoke(messages)),
  'fail-stream': async (client, model, got) => read(got, await collect(got, await make(client, model).stream(messages))),
});
