import * as v from 'valibot';
import type { Result } from '../lib/result.ts';
import { matchesPattern } from './arn-pattern.ts';
import { names, principals } from './conditions.ts';
import { readDocument } from './document.ts';
import type { DocumentProblem } from './problem.ts';
import type { PolicyCaller } from './match.ts';
import { atLeastOneOf, list, mapping, text, version, word } from './schema.ts';

/** What an operator may do with what belongs to others. */
const ACTIONS = ['list', 'revoke', 'explain', 'lift'] as const;

/** An operator's action. */
export type OperatorAction = (typeof ACTIONS)[number];

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

/**
 * Whether a caller may do this for others.
 *
 * @param profile the profile that it is about; undefined for what is about all of them, which a rule for some does not grant
 */
export const mayOperate = (
  document: OperatorsDocument | undefined,
  caller: Pick<PolicyCaller, 'name' | 'principal'>,
  action: OperatorAction,
  profile: string | undefined,
): boolean =>
  (document?.rules ?? []).some(
    ({ users, principals, actions, profiles }) =>
      actions.includes(action) &&
      (users === undefined || (caller.name !== '' && users.includes(caller.name))) &&
      (principals === undefined || principals.some((pattern) => matchesPattern(pattern, caller.principal))) &&
      (profiles === undefined || (profile !== undefined && profiles.includes(profile))),
  );
