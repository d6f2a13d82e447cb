import { escapeUnseen } from '../../lib/unseen.ts';

/** One thing that is wrong with a document, told to whoever wrote it. */
export type DocumentProblem = {
  /** The line of the text, counted from 1. */
  readonly line: number;
  /** The value's place, like `rules[0].conditions.users`; empty for the document as a whole. */
  readonly path: string;
  /** One sentence on one line that says what to change. */
  readonly message: string;
};

/** One step of a path: the key of a mapping, or the index of a list. */
export type PathStep = string | number;

/**
 * Characters of a quotation and of a message, so that a log line stays readable whatever a document
 * holds.
 */
const QUOTED_LENGTH = 60;
const MESSAGE_LENGTH = 300;

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}\u2026`;
}

/**
 * Quotes text of a document for a message: on one line, cut to a bounded length, with invisible
 * characters escaped.
 */
export function quote(text: string): string {
  return cut(escapeUnseen(JSON.stringify(text.slice(0, QUOTED_LENGTH))), QUOTED_LENGTH);
}

/** Joins words as a sentence lists them: `a, b or c`. */
export function oneOfWords(words: readonly string[]): string {
  return words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}

const PLAIN_KEY = /^[\w-]{1,60}$/u;

/** Writes a path as `rules[0].name`, with unusual keys in quotes. */
function formatPath(path: readonly PathStep[]): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!PLAIN_KEY.test(step)) return `[${quote(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

/** Makes a problem. Its message becomes one line of bounded length. */
export function problem(line: number, path: readonly PathStep[], message: string): DocumentProblem {
  return {
    line,
    path: formatPath(path),
    message: cut(message.replaceAll(/\s+/gu, ' ').trim(), MESSAGE_LENGTH),
  };
}

/** Makes a problem and writes it as one sentence for the log. */
export function toSentence(line: number, path: readonly PathStep[], message: string): string {
  return sayProblem(problem(line, path, message));
}

/** Writes a problem as one sentence for the log. */
export function sayProblem({ line, path, message }: DocumentProblem): string {
  return `line ${line}${path === '' ? '' : `, ${path}`}: ${message}`;
}
