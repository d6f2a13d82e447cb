import { readTree } from '../reading/yaml-tree.ts';

/** A caller's name in a document, with the rule and the key under which it is written. */
export type NamedCaller = { readonly rule: string; readonly key: string; readonly name: string };

/** The keys whose lists hold callers' names, in all documents. */
const KEYS: ReadonlySet<string> = new Set(['users', 'approvers', 'from', 'by', 'is']);

/**
 * Finds the names of callers in a document of any kind, valid or not. Finds none if its YAML cannot
 * be read.
 */
export function namesInDocument(source: string): readonly NamedCaller[] {
  const tree = readTree(source);
  return tree.ok ? namesIn(tree.value.value, '') : [];
}

/** Recurses at most as deep as `readTree` lets a document be nested. */
function namesIn(value: unknown, rule: string): readonly NamedCaller[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => namesIn(item, rule));
  if (typeof value !== 'object' || value === null) return [];
  const { name: own } = value as Readonly<Record<string, unknown>>;
  const within = typeof own === 'string' ? own : rule;
  return Object.entries(value).flatMap(([key, held]: [string, unknown]) => {
    if (!KEYS.has(key) || !Array.isArray(held)) return namesIn(held, within);
    const names = held.filter((item): item is string => typeof item === 'string');
    return names.map((name) => ({ rule: within, key, name }));
  });
}
