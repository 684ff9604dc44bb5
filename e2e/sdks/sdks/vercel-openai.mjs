// The Vercel AI SDK with @ai-sdk/openai, which speaks Responses.
import { createOpenAI } from '@ai-sdk/openai';
import { does as make } from '../vercel.mjs';

export const open = (row) => createOpenAI({ baseURL: `${row.base}/v1`, apiKey: row.key });
export const does = make(
  (client, model) => client(model),
  { openai: { reasoningEffort: 'medium', reasoningSummary: 'auto', forceReasoning: true, store: false } },
  (client, model) => client.textEmbeddingModel(model),
);
