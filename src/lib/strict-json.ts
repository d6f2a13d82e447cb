import { ok, refuse, type Result } from './result.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Counts the keys in the text of a JSON value: the strings that a colon follows. */
function countKeysOfText(text: string): number {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/gu)].filter(([, colon]) => colon).length;
}

/**
 * Counts the keys of a value with a list instead of recursion: it may be nested more deeply than
 * the stack allows.
 */
function countKeys(value: unknown): number {
  const left = [value];
  let count = 0;
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next !== 'object' || next === null) continue;
    const held: readonly unknown[] = Object.values(next);
    if (!Array.isArray(next)) count += held.length;
    for (const item of held) left.push(item);
  }
  return count;
}

/**
 * Reads bytes as JSON in UTF-8. A key that occurs twice in one object, at any depth, is refused as
 * `repeated-key`: `JSON.parse` keeps the last of the two, and another reader may keep the first.
 */
export function parseStrictJson(bytes: Uint8Array): Result<unknown, 'not-json' | 'repeated-key'> {
  let value: unknown;
  let text: string;
  try {
    text = UTF8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    return refuse('not-json');
  }
  return countKeys(value) === countKeysOfText(text) ? ok(value) : refuse('repeated-key');
}
