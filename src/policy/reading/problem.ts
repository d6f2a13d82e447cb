import { escapeUnseen } from '../../lib/unseen.ts';

/** One thing wrong with a document, for whoever wrote it. */
export type DocumentProblem = {
  /** Where in the text, counted from 1. */
  readonly line: number;
  /** Which value, like `rules[0].conditions.users`; empty for the document as a whole. */
  readonly path: string;
  /** One sentence on one line that says what to change. */
  readonly message: string;
};

/** One step from a mapping to a key's value, or from a list to an item. */
export type PathStep = string | number;

const QUOTED_LENGTH = 60;
const MESSAGE_LENGTH = 300;

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}\u2026`;
}

/**
 * Quotes a piece of a document for a message: on one line, never longer than a message can bear, and with escapes for
 * characters that cannot be seen.
 */
export function quote(text: string): string {
  return cut(escapeUnseen(JSON.stringify(text.slice(0, QUOTED_LENGTH))), QUOTED_LENGTH);
}

/** Joins words as a sentence lists them: `a, b or c`. */
export function oneOfWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}

const PLAIN_KEY = /^[\w-]{1,60}$/u;

/** Writes a path as people do: `rules[0].name`, with keys that need it in quotes. */
function formatPath(path: readonly PathStep[]): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!PLAIN_KEY.test(step)) return `[${quote(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

/** Makes a problem whose message is one line of bounded length, whatever the parts it was made of. */
export function problem(line: number, path: readonly PathStep[], message: string): DocumentProblem {
  return {
    line,
    path: formatPath(path),
    message: cut(message.replaceAll(/\s+/gu, ' ').trim(), MESSAGE_LENGTH),
  };
}

/** A problem in one sentence, as the log says it. */
export function toSentence(line: number, path: readonly PathStep[], message: string): string {
  return sayProblem(problem(line, path, message));
}

/** The same of a problem that was made before. */
export function sayProblem({ line, path, message }: DocumentProblem): string {
  return `line ${line}${path === '' ? '' : `, ${path}`}: ${message}`;
}
