import * as v from 'valibot';
import type { NamedKind } from '../../lib/names.ts';
import type { Result } from '../../lib/result.ts';
import {
  accounts,
  perOwner,
  principalIds,
  principals,
  profileNames,
  timeWindow,
  userNames,
} from './conditions.ts';
import { readDocument } from '../reading/document.ts';
import { oneOfWords, type DocumentProblem } from '../reading/problem.ts';
import { dictionary, duration, list, mapping, text, version, word } from '../reading/schema.ts';
import { anyOf } from '../reading/cross-check.ts';

/** The effects of rules, as Sentinel names them. */
const EFFECTS = [
  'allow',
  'deny',
  'require_approval',
  'require_server',
  'require_server_session',
] as const;

/**
 * Sentinel's clients that a rule can be limited to. A request to this server always has the mode
 * `server`.
 */
const MODES = ['server', 'cli', 'credential_process'] as const;

/**
 * The shortest life of credentials, in seconds. Below STS's 900 seconds the session policy ends it.
 */
const MIN_CAP_SECONDS = 60;

const RESTRICTING = [
  'profiles',
  'users',
  'time',
  'principals',
  'accounts',
  'principal_ids',
] as const;

/**
 * The message for a rule without conditions. Sentinel's guides end policies with such a deny; as an
 * allow it would let everybody in.
 */
const NO_CONDITION =
  `must have at least one of ${oneOfWords(RESTRICTING)}; to match every caller, write profiles: with this profile's ` +
  'name; a last rule that denies the rest is not needed, because a request that no rule matches is denied';

const device = v.pipe(
  dictionary(v.unknown()),
  v.check((given) => Object.keys(given).length > 0, 'must not be empty; leave the key out instead'),
);

function conditions(bareNames: NamedKind) {
  return v.pipe(
    mapping({
      profiles: v.exactOptional(profileNames),
      users: v.exactOptional(userNames(bareNames)),
      time: v.exactOptional(timeWindow),
      mode: v.exactOptional(list(word(MODES))),
      device: v.exactOptional(device),
      principals: v.exactOptional(principals),
      principal_ids: v.exactOptional(principalIds),
      accounts: v.exactOptional(accounts),
    }),
    anyOf(RESTRICTING, NO_CONDITION),
  );
}

/** Conditions that are written beside `conditions` by mistake. */
const UNDER_CONDITIONS = Object.fromEntries(
  [...RESTRICTING, 'mode', 'device'].map((key) => [key, "the rule's conditions"]),
);

function rule(bareNames: NamedKind) {
  return mapping(
    {
      name: text,
      effect: word(EFFECTS),
      conditions: conditions(bareNames),
      reason: v.exactOptional(text),
      max_server_duration: v.exactOptional(duration(MIN_CAP_SECONDS)),
      session_table: v.exactOptional(text),
    },
    { blanks: ['reason', 'session_table'], moved: UNDER_CONDITIONS },
  );
}

/** The form of the document. */
export const accessPolicy = perOwner((bareNames) =>
  mapping({ version, rules: list(rule(bareNames)) }),
);

/**
 * Sentinel's access policy, read strictly. `max_server_duration` is in seconds. `session_table` is
 * accepted because Sentinel has it, and has no effect here.
 */
export type AccessPolicyDocument = v.InferOutput<ReturnType<typeof accessPolicy>>;

/** One rule of an access policy. */
export type AccessRule = AccessPolicyDocument['rules'][number];

/** The conditions of a rule, all of which must hold for it to match. */
export type AccessConditions = AccessRule['conditions'];

/** The effect of a rule, as the document writes it. */
export type RuleEffect = AccessRule['effect'];

/** Reads an access policy in YAML or JSON. Gives the document, or every problem with its line. */
export function readAccessPolicy(
  source: string,
  bareNames: NamedKind = 'key',
): Result<AccessPolicyDocument, readonly DocumentProblem[]> {
  return readDocument(source, accessPolicy(bareNames));
}
