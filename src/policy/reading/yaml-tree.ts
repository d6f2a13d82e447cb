import { Buffer } from 'node:buffer';
import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Pair,
} from 'yaml';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { problem, quote, type DocumentProblem, type PathStep } from './problem.ts';
import { checkTokens, MAX_DEPTH, TOO_DEEP } from './yaml-tokens.ts';

/**
 * A document as plain values: mappings are objects without a prototype, and nothing in them is
 * shared.
 */
export type Tree = {
  readonly value: object;
  /** Problems of single keys and values. The rest of the document was read. */
  readonly problems: readonly DocumentProblem[];
  /**
   * The line, counted from 1, of the key or item at a path, or of the deepest part of the path that
   * exists.
   */
  readonly lineOf: (path: readonly PathStep[]) => number;
};

/**
 * Size of a document. An advanced SSM parameter holds 8 KiB; this leaves room for other sources.
 */
const MAX_BYTES = 64 * 1024;

/** Syntax errors that are reported. One mistake causes many; the first ones say what it is. */
const MAX_SYNTAX_PROBLEMS = 10;

/** Characters that YAML and JSON do not allow. The lexer uses three of them as its own markers. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/u;

/**
 * `<<` is a merge key in YAML 1.1. Every JavaScript object inherits the others, and validators skip
 * them.
 */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set([
  '<<',
  '__proto__',
  'constructor',
  'prototype',
]);

/**
 * Reads one YAML or JSON document into plain values. Refuses everything that two YAML readers could
 * understand differently: several documents, duplicate keys, aliases, anchors, tags, merge keys,
 * keys that are not text, and numbers that are not written plainly. The root must be a mapping.
 * Never throws. A tree with problems may only be used to find more problems.
 */
export function readTree(source: string): Result<Tree, readonly DocumentProblem[]> {
  const text = source.replace(/^\uFEFF/u, '');
  if (text.length > MAX_BYTES || Buffer.byteLength(text) > MAX_BYTES) {
    return refuse([problem(1, [], 'the document is larger than 64 KiB')]);
  }
  const lineAt = lineFinder(text);
  const control = CONTROL.exec(text);
  if (control !== null)
    return refuse([problem(lineAt(control.index), [], 'a control character is not allowed')]);
  const tokens = checkTokens(text, lineAt);
  if (tokens.length > 0) return refuse(tokens);
  const document = parse(text, lineAt);
  if (!document.ok) return document;
  return build(document.value, lineAt);
}

function lineFinder(text: string): (offset: number) => number {
  const counter = new LineCounter();
  counter.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1))
    counter.addNewLine(at + 1);
  function lineAt(offset: number): number {
    return Math.max(1, counter.linePos(offset).line);
  }
  return lineAt;
}

function parse(
  text: string,
  lineAt: (offset: number) => number,
): Result<Document, readonly DocumentProblem[]> {
  let documents: readonly Document[];
  try {
    // The library finds duplicate keys by comparing every pair of them. buildMapping finds them
    // with a map instead.
    documents = [
      ...parseAllDocuments(text, {
        schema: 'core',
        prettyErrors: false,
        uniqueKeys: false,
        logLevel: 'silent',
      }),
    ];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refuse([problem(1, [], TOO_DEEP)]);
  }
  const faults = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]);
  if (faults.some(({ code }) => code === 'RESOURCE_EXHAUSTION'))
    return refuse([problem(1, [], TOO_DEEP)]);
  if (faults.length > 0) {
    const first = faults.slice(0, MAX_SYNTAX_PROBLEMS);
    return refuse(
      first.map(({ pos, message }) => problem(lineAt(pos[0]), [], `cannot be read: ${message}`)),
    );
  }
  const [document, second] = documents;
  if (second !== undefined) {
    return refuse([
      problem(
        lineAt(second.range?.[0] ?? 0),
        [],
        'there is a second document; keep one and remove the "---"',
      ),
    ]);
  }
  return document === undefined ? refuse([problem(1, [], 'the document is empty')]) : ok(document);
}

type Build = {
  readonly lineAt: (offset: number) => number;
  readonly problems: DocumentProblem[];
};

function build(
  document: Document,
  lineAt: (offset: number) => number,
): Result<Tree, readonly DocumentProblem[]> {
  const root: unknown = document.contents;
  const line = lineOfNode(root, lineAt) ?? 1;
  if (root === null || (isScalar(root) && root.value === null)) {
    return refuse([problem(line, [], 'the document is empty')]);
  }
  if (!isMap(root))
    return refuse([problem(line, [], 'the document must be a mapping of keys to values')]);
  const problems: DocumentProblem[] = [];
  const value = buildMapping(root.items, { lineAt, problems }, [], line);
  return ok({ value, problems, lineOf: (path) => findLine(root, path, lineAt) });
}

function lineOfNode(node: unknown, lineAt: (offset: number) => number): number | undefined {
  const range = isScalar(node) || isMap(node) || isSeq(node) ? node.range : undefined;
  return range === undefined || range === null ? undefined : lineAt(range[0]);
}

function buildValue(node: unknown, state: Build, path: readonly PathStep[], line: number): unknown {
  const here = lineOfNode(node, state.lineAt) ?? line;
  if ((isMap(node) || isSeq(node)) && path.length >= MAX_DEPTH) {
    state.problems.push(problem(here, [], TOO_DEEP));
    return null;
  }
  if (isMap(node)) return buildMapping(node.items, state, path, here);
  if (isSeq(node))
    return node.items.map((item, index) => buildValue(item, state, [...path, index], here));
  if (!isScalar(node)) return null;
  // Some YAML readers take 0x1F, 012 and 1e3 for numbers, others for text; and beyond 2^53 digits
  // are lost.
  const { value } = node;
  if (typeof value === 'number' && (String(value) !== node.source || !isExact(value))) {
    state.problems.push(
      problem(here, path, 'is a number in an unusual notation; put it in quotes if it is text'),
    );
  }
  return value;
}

function isExact(value: number): boolean {
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
}

function buildMapping(
  pairs: readonly Pair[],
  state: Build,
  path: readonly PathStep[],
  line: number,
): object {
  const entries: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const lines = new Map<string, number>();
  for (const { key, value } of pairs) {
    const here = lineOfNode(key, state.lineAt) ?? lineOfNode(value, state.lineAt) ?? line;
    const name = isScalar(key) && typeof key.value === 'string' ? key.value : undefined;
    const refusal = keyRefusal(name, lines);
    if (refusal !== undefined || name === undefined) {
      state.problems.push(problem(here, path, refusal ?? ''));
      continue;
    }
    lines.set(name, here);
    entries[name] = buildValue(value, state, [...path, name], here);
  }
  return entries;
}

function keyRefusal(
  name: string | undefined,
  lines: ReadonlyMap<string, number>,
): string | undefined {
  if (name === undefined) return 'has a key that is not text; put it in quotes';
  if (FORBIDDEN_KEYS.has(name)) return `the key ${quote(name)} is not allowed`;
  const first = lines.get(name);
  return first === undefined
    ? undefined
    : `the key ${quote(name)} appears twice, first on line ${first}`;
}

function findLine(
  root: unknown,
  path: readonly PathStep[],
  lineAt: (offset: number) => number,
): number {
  let node = root;
  let line = lineOfNode(root, lineAt) ?? 1;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (pair === undefined) return line;
      line = lineOfNode(pair.key, lineAt) ?? line;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      line = lineOfNode(node, lineAt) ?? line;
    } else {
      return line;
    }
  }
  return line;
}
