import * as v from 'valibot';
import type { NamedKind } from '../../lib/names.ts';
import type { Result } from '../../lib/result.ts';
import { accounts, perOwner, principalIds, principals, profileNames, timeWindow, userNames } from './conditions.ts';
import { readDocument } from '../reading/document.ts';
import { oneOfWords, type DocumentProblem } from '../reading/problem.ts';
import { anyOf, dictionary, duration, list, mapping, text, version, word } from '../reading/schema.ts';

/** What a rule can say, in Sentinel's words. */
const EFFECTS = ['allow', 'deny', 'require_approval', 'require_server', 'require_server_session'] as const;

/** Which of Sentinel's clients a rule is about; a request to this server is always `server`. */
const MODES = ['server', 'cli', 'credential_process'] as const;

/** A credential's shortest useful life in seconds; below STS's 900 the session policy ends it. */
const MIN_CAP_SECONDS = 60;

const RESTRICTING = ['profiles', 'users', 'time', 'principals', 'accounts', 'principal_ids'] as const;

/** Sentinel's guides end their policies with such a rule, which denies; with an allow it would open everything. */
const NO_CONDITION =
  `must have at least one of ${oneOfWords(RESTRICTING)}; for every caller write profiles: with this profile's name, and ` +
  'leave a rule out that denies the rest, for what no rule matches is denied';

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

/** People forget the level between a rule and its conditions. */
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
export const accessPolicy = perOwner((bareNames) => mapping({ version, rules: list(rule(bareNames)) }));

/**
 * Sentinel's access policy, read strictly. `max_server_duration` is in seconds; `session_table` is accepted, for Sentinel
 * has it, and means nothing here.
 */
export type AccessPolicyDocument = v.InferOutput<ReturnType<typeof accessPolicy>>;

/** One rule of an access policy. */
export type AccessRule = AccessPolicyDocument['rules'][number];

/** What must hold, all of it, for a rule to match. */
export type AccessConditions = AccessRule['conditions'];

/** What a rule says, as the document has it. */
export type RuleEffect = AccessRule['effect'];

/** Reads an access policy, YAML or JSON: the document, or every problem with its line. */
export function readAccessPolicy(
  source: string,
  bareNames: NamedKind = 'key',
): Result<AccessPolicyDocument, readonly DocumentProblem[]> {
  return readDocument(source, accessPolicy(bareNames));
}
