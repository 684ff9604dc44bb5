// LangChain.js with @langchain/openai.
import { ChatOpenAI } from '@langchain/openai';
import { does as make } from '../langchain.mjs';

export const open = (row) => row;
export const does = make(
  (row, model, more) => new ChatOpenAI({ model, apiKey: row.key, configuration: { baseURL: `${row.base}/v1` }, maxRetries: 0, ...more }),
  { modelKwargs: { reasoning_effort: 'medium', max_completion_tokens: 4096 } },
);
