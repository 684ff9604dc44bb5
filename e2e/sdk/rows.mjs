// Walks a list of calls with the official openai package, unmodified, and prints what its user gets.
// Standard input: a JSON array of rows {name, base, key, do, params, retries}. Standard output: a
// JSON array in the same order, {name, ok, ...what came} or {name, ok: false, error}.
import OpenAI from 'openai';

const text = async (stream) => {
  let all = '';
  for await (const chunk of stream) all += chunk;
  return all;
};

// seen is filled while an answer comes, so that a break shows what had come before it.
const actions = {
  async chat(client, params, seen) {
    seen.value = await client.chat.completions.create(params);
  },

  async stream(client, params, seen) {
    Object.assign(seen, { chunks: 0, text: '', arguments: '', finish: null, usage: null });
    for await (const chunk of await client.chat.completions.create({ ...params, stream: true })) {
      seen.chunks++;
      const choice = chunk.choices[0];
      seen.text += choice?.delta?.content ?? '';
      seen.tool ??= choice?.delta?.tool_calls?.[0]?.function?.name;
      seen.arguments += choice?.delta?.tool_calls?.[0]?.function?.arguments ?? '';
      seen.finish = choice?.finish_reason ?? seen.finish;
      seen.usage = chunk.usage ?? seen.usage;
    }
  },

  // The SDK's own helper, which puts a stream together and waits for its end.
  async collected(client, params, seen) {
    const stream = client.chat.completions.stream(params);
    seen.value = await stream.finalChatCompletion();
  },

  // The SDK's tool runner: it calls the function that the model asks for, until the model speaks.
  async tools(client, params, seen) {
    seen.called = [];
    const tool = {
      type: 'function',
      function: {
        name: 'weather',
        description: 'The weather at a place',
        parse: JSON.parse,
        function: (args) => {
          seen.called.push(args);
          return `sunny in ${args.city}`;
        },
        parameters: {
          type: 'object',
          properties: { city: { type: 'string', enum: ['Oslo'] } },
          required: ['city'],
          additionalProperties: false,
        },
      },
    };
    const runner = client.chat.completions.runTools({ ...params, tools: [tool] });
    seen.text = await runner.finalContent();
    seen.messages = runner.messages.length;
    seen.usage = await runner.totalUsage();
  },

  async responses(client, params, seen) {
    seen.value = await client.responses.create(params);
    seen.text = seen.value.output_text;
  },

  async responsesStream(client, params, seen) {
    Object.assign(seen, { events: [], text: '' });
    for await (const event of await client.responses.create({ ...params, stream: true })) {
      seen.events.push(event.type);
      if (event.type === 'response.output_text.delta') seen.text += event.delta;
      if (event.type === 'response.completed') seen.usage = event.response.usage;
    }
  },

  async completions(client, params, seen) {
    seen.value = await client.completions.create(params);
  },

  async embeddings(client, params, seen) {
    const answer = await client.embeddings.create(params);
    seen.lengths = answer.data.map((d) => d.embedding.length);
    seen.usage = answer.usage;
  },

  async moderations(client, params, seen) {
    seen.value = await client.moderations.create(params);
  },

  async models(client, _params, seen) {
    seen.ids = [];
    for await (const model of client.models.list()) seen.ids.push(model.id);
  },

  async model(client, params, seen) {
    seen.value = await client.models.retrieve(params.model);
  },
};

// chain lists the error's classes, its own first.
const chain = (e) => {
  const names = [];
  for (let p = Object.getPrototypeOf(e); p && p !== Object.prototype; p = Object.getPrototypeOf(p)) names.push(p.constructor.name);
  return names;
};

const results = [];
for (const row of JSON.parse(await text(process.stdin))) {
  const client = new OpenAI({ baseURL: row.base, apiKey: row.key, maxRetries: row.retries ?? 0, timeout: 20000 });
  const seen = {};
  const begun = performance.now();
  try {
    if (!actions[row.do]) throw new Error(`no action ${row.do}`);
    await actions[row.do](client, row.params, seen);
    results.push({ name: row.name, ok: true, ...seen });
  } catch (e) {
    results.push({
      name: row.name,
      ok: false,
      ...seen,
      error: {
        classes: chain(e),
        status: e.status ?? 0,
        message: String(e.message),
        code: e.code ?? null,
        type: e.type ?? null,
        param: e.param ?? null,
        kind: e.error?.causeway?.kind ?? e.headers?.get?.('causeway-finding') ?? '',
        callID: e.error?.causeway?.call_id ?? '',
        header: e.headers?.get?.('causeway-call-id') ?? '',
      },
    });
  }
  results.at(-1).ms = performance.now() - begun;
}
console.log(JSON.stringify(results));
