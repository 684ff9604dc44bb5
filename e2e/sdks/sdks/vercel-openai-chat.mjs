// The Vercel AI SDK with @ai-sdk/openai's chat completions.
import { createOpenAI } from '@ai-sdk/openai';
import { does as make } from '../vercel.mjs';

export const open = (row) => createOpenAI({ baseURL: `${row.base}/v1`, apiKey: row.key });
export const does = make((client, model) => client.chat(model), { openai: { reasoningEffort: 'medium', forceReasoning: true } });
