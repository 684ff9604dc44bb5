// The Vercel AI SDK with @ai-sdk/google. It puts a name with a slash into the address as it is, so that models/ stands in
// front.
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { does as make } from '../vercel.mjs';

export const open = (row) => createGoogleGenerativeAI({ baseURL: `${row.base}/v1beta`, apiKey: row.key });
export const does = make(
  (client, model) => client(`models/${model}`),
  { google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } } },
  (client, model) => client.textEmbeddingModel(model),
);
