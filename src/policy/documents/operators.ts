import * as v from 'valibot';
import type { NamedKind } from '../../lib/names.ts';
import type { Result } from '../../lib/result.ts';
import { matchesPattern } from '../arn-pattern.ts';
import { perOwner, principals, profileNames, userNames } from './conditions.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import type { PolicyCaller } from '../match.ts';
import { list, mapping, text, version, word } from '../reading/schema.ts';
import { atLeastOneOf } from '../reading/cross-check.ts';

/** What an operator may do with sessions and revocations of others. */
const ACTIONS = ['list', 'revoke', 'lift', 'explain', 'audit'] as const;

/** An operator's action. */
export type OperatorAction = (typeof ACTIONS)[number];

function rule(bareNames: NamedKind) {
  return v.pipe(
    mapping({
      name: text,
      users: v.exactOptional(userNames(bareNames)),
      principals: v.exactOptional(principals),
      actions: list(word(ACTIONS)),
      profiles: v.exactOptional(profileNames),
    }),
    atLeastOneOf('users', 'principals'),
  );
}

/** The form of the document. */
export const operators = perOwner((bareNames) =>
  mapping({ version, rules: list(rule(bareNames)) }),
);

/**
 * The operators' document: who may list, revoke, lift and explain for others, and read the audit
 * trail. A rule without profiles is for all of them.
 */
export type OperatorsDocument = v.InferOutput<ReturnType<typeof operators>>;

/**
 * Reads the operators' document in YAML or JSON. Gives the document, or every problem with its
 * line.
 */
export function readOperators(
  source: string,
  bareNames: NamedKind = 'key',
): Result<OperatorsDocument, readonly DocumentProblem[]> {
  return readDocument(source, operators(bareNames));
}

/**
 * Whether a caller may do this for others.
 *
 * @param profile the profile that the action is about; undefined for an action on all profiles,
 *   which only a rule without profiles grants
 */
export function mayOperate(
  document: OperatorsDocument | undefined,
  caller: Pick<PolicyCaller, 'name' | 'principal'>,
  action: OperatorAction,
  profile: string | undefined,
): boolean {
  return (document?.rules ?? []).some(
    ({ users, principals, actions, profiles }) =>
      actions.includes(action) &&
      (users === undefined || (caller.name !== '' && users.includes(caller.name))) &&
      (principals === undefined ||
        principals.some((pattern) => matchesPattern(pattern, caller.principal))) &&
      (profiles === undefined || (profile !== undefined && profiles.includes(profile))),
  );
}
