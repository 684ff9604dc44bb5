// What the programs ask for, the same with every SDK.
import { z } from 'zod';

export const prompt = 'Add and multiply the numbers 2 and 3.';
export const system = 'You are a helpful assistant.';
export const picture = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNQWOAAAAHkAQEOXdw5AAAAAElFTkSuQmCC';

const numbers = { type: 'object', properties: { a: { type: 'integer', description: 'first number' }, b: { type: 'integer' } }, required: ['a', 'b'] };
export const tools = [
  { name: 'add', description: 'Add two numbers', schema: numbers, zod: z.object({ a: z.number(), b: z.number() }) },
  { name: 'multiply', description: 'Multiply two numbers', schema: numbers, zod: z.object({ a: z.number(), b: z.number() }) },
  {
    name: 'weather',
    description: 'Get the weather at a place',
    schema: { type: 'object', properties: { latitude: { type: 'string' }, longitude: { type: 'string' }, location: { type: 'string', description: 'the city' } } },
    zod: z.object({ latitude: z.string().optional(), longitude: z.string().optional(), location: z.string().optional() }),
  },
  { name: 'best_language_to_learn', description: 'Gets the best language to learn', schema: { type: 'object', properties: {} }, zod: z.object({}) },
];
export const run = (name) => `${name} is done`;

// person is what structured answers are of.
export const person = z.object({ name: z.string(), age: z.number() });
export const personSchema = { type: 'object', properties: { name: { type: 'string' }, age: { type: 'integer' } }, required: ['name', 'age'], additionalProperties: false };
