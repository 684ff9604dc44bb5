// The Vercel AI SDK with @ai-sdk/anthropic.
import { createAnthropic } from '@ai-sdk/anthropic';
import { does as make } from '../vercel.mjs';

export const open = (row) => createAnthropic({ baseURL: `${row.base}/v1`, apiKey: row.key });
export const does = make((client, model) => client(model), { anthropic: { thinking: { type: 'enabled', budgetTokens: 2000 } } });
