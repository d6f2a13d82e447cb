import * as v from 'valibot';
import type { Result } from '../lib/result.ts';
import { accounts, names, principalIds, principals, timeWindow } from './conditions.ts';
import { readDocument } from './document.ts';
import type { DocumentProblem } from './problem.ts';
import { atLeastOneOf, dictionary, duration, list, mapping, text, version, word } from './schema.ts';

/** What a rule can say, in Sentinel's words. */
const EFFECTS = ['allow', 'deny', 'require_approval', 'require_server', 'require_server_session'] as const;

/** Which of Sentinel's clients a rule is about; a request to this server is always `server`. */
const MODES = ['server', 'cli', 'credential_process'] as const;

/** A credential's shortest useful life in seconds; below STS's 900 the session policy ends it. */
const MIN_CAP_SECONDS = 60;

const conditions = v.pipe(
  mapping({
    profiles: v.exactOptional(names),
    users: v.exactOptional(names),
    time: v.exactOptional(timeWindow),
    mode: v.exactOptional(list(word(MODES))),
    device: v.exactOptional(
      v.pipe(
        dictionary(v.unknown()),
        v.check((device) => Object.keys(device).length > 0, 'must not be empty; leave the key out instead'),
      ),
    ),
    principals: v.exactOptional(principals),
    principal_ids: v.exactOptional(principalIds),
    accounts: v.exactOptional(accounts),
  }),
  atLeastOneOf('profiles', 'users', 'time', 'principals', 'accounts', 'principal_ids'),
);

const rule = mapping({
  name: text,
  effect: word(EFFECTS),
  conditions,
  reason: v.exactOptional(text),
  max_server_duration: v.exactOptional(duration(MIN_CAP_SECONDS)),
  session_table: v.exactOptional(text),
});

const accessPolicy = mapping({ version, rules: list(rule) });

/**
 * Sentinel's access policy, read strictly. `max_server_duration` is in seconds; `session_table` is accepted, for Sentinel
 * has it, and means nothing here.
 */
export type AccessPolicyDocument = v.InferOutput<typeof accessPolicy>;

/** One rule of an access policy. */
export type AccessRule = AccessPolicyDocument['rules'][number];

/** What must hold, all of it, for a rule to match. */
export type AccessConditions = AccessRule['conditions'];

/** What a rule says, as the document has it. */
export type RuleEffect = AccessRule['effect'];

/** Reads an access policy, YAML or JSON: the document, or every problem with its line. */
export const readAccessPolicy = (source: string): Result<AccessPolicyDocument, readonly DocumentProblem[]> =>
  readDocument(source, accessPolicy);
