// LangChain.js with @langchain/anthropic.
import { ChatAnthropic } from '@langchain/anthropic';
import { does as make } from '../langchain.mjs';

export const open = (row) => row;
export const does = make(
  (row, model, more) => new ChatAnthropic({ model, apiKey: row.key, anthropicApiUrl: row.base, maxRetries: 0, maxTokens: 1024, ...more }),
  { thinking: { type: 'enabled', budget_tokens: 2000 }, maxTokens: 4096 },
);
