import * as v from 'valibot';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { problem, type DocumentProblem, type PathStep } from './problem.ts';
import type { Schema } from './schema.ts';
import { readTree } from './yaml-tree.ts';

export type { DocumentProblem } from './problem.ts';

function pathOf(issue: v.BaseIssue<unknown>): readonly PathStep[] {
  return (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)));
}

/**
 * Problems named of one document: more than anybody corrects at a time, and a bound for what a bad
 * document costs.
 */
const MAX_PROBLEMS = 100;

/**
 * Reads a YAML or JSON document by a schema. Gives what the schema makes of it, or the problems
 * that were found, at most a hundred, in the order of their lines. Text that cannot be parsed is
 * not checked against the schema. Never throws.
 */
export function readDocument<Output>(
  source: string,
  schema: Schema<Output>,
): Result<Output, readonly DocumentProblem[]> {
  const tree = readTree(source);
  if (!tree.ok) return tree;
  const { value, lineOf, problems } = tree.value;
  const parsed = v.safeParse(schema, value);
  if (parsed.success && problems.length === 0) return ok(parsed.output);
  const issues = (parsed.issues ?? []).slice(0, MAX_PROBLEMS).map((issue) => {
    const path = pathOf(issue);
    return problem(lineOf(path), path, issue.message);
  });
  return refuse(
    [...problems, ...issues].toSorted((a, b) => a.line - b.line).slice(0, MAX_PROBLEMS),
  );
}
