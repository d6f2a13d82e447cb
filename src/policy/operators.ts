import * as v from 'valibot';
import type { Result } from '../lib/result.ts';
import { names, principals } from './conditions.ts';
import { readDocument } from './document.ts';
import type { DocumentProblem } from './problem.ts';
import { atLeastOneOf, list, mapping, text, version, word } from './schema.ts';

/** What an operator may do with what belongs to others. */
const ACTIONS = ['list', 'revoke', 'explain', 'lift'] as const;

const rule = v.pipe(
  mapping({
    name: text,
    users: v.exactOptional(names),
    principals: v.exactOptional(principals),
    actions: list(word(ACTIONS)),
    profiles: v.exactOptional(names),
  }),
  atLeastOneOf('users', 'principals'),
);

const operators = mapping({ version, rules: list(rule) });

/** Who may list, revoke, explain and lift for others. A rule without profiles is for all of them. */
export type OperatorsDocument = v.InferOutput<typeof operators>;

/** Reads the operators' document, YAML or JSON: the document, or every problem with its line. */
export const readOperators = (source: string): Result<OperatorsDocument, readonly DocumentProblem[]> =>
  readDocument(source, operators);
