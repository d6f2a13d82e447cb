import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { SECOND } from '../lib/clock.ts';

/** An item of DynamoDB, or a part of one: typed values by the names of their attributes. */
export type Item = Record<string, AttributeValue>;

/** What an attribute may hold: a text, a number, a truth value, or numbers by name. */
type Value = string | number | boolean | ReadonlyMap<string, number>;

function toAttribute(value: Value): AttributeValue {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  return {
    M: Object.fromEntries([...value].map(([name, number]) => [name, { N: String(number) }])),
  };
}

/** Values as DynamoDB takes them. A member that is undefined is left out. */
export function attributes(values: Readonly<Record<string, Value | undefined>>): Item {
  const item: Item = {};
  for (const [name, value] of Object.entries(values))
    if (value !== undefined) item[name] = toAttribute(value);
  return item;
}

/** The text of an attribute; undefined if there is none, or if it holds something else. */
export function textAt(item: Item | undefined, name: string): string | undefined {
  return item?.[name]?.S;
}

/** The number of an attribute; undefined if there is none, or if it holds something else. */
export function numberAt(item: Item | undefined, name: string): number | undefined {
  const digits = item?.[name]?.N;
  return digits === undefined ? undefined : Number(digits);
}

/** The truth value of an attribute; undefined if there is none, or if it holds something else. */
export function flagAt(item: Item | undefined, name: string): boolean | undefined {
  return item?.[name]?.BOOL;
}

/** The numbers by name that an attribute holds; none if it is not there. */
export function numbersAt(item: Item | undefined, name: string): ReadonlyMap<string, number> {
  const entries = Object.entries(item?.[name]?.M ?? {});
  return new Map(entries.map(([key, { N: digits }]) => [key, Number(digits ?? 0)]));
}

/**
 * A moment (epoch milliseconds) as an attribute with text holds it, so that texts sort like time.
 */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** The moment of an attribute with text, in epoch milliseconds; undefined if it holds none. */
export function timeAt(item: Item | undefined, name: string): number | undefined {
  const ms = Date.parse(textAt(item, name) ?? '');
  return Number.isNaN(ms) ? undefined : ms;
}

/**
 * A moment (epoch milliseconds) as a time to live: whole epoch seconds, rounded up so that nothing
 * is deleted early.
 */
export function toTtl(ms: number): number {
  return Math.ceil(ms / SECOND);
}
