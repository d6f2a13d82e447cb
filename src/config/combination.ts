import * as v from 'valibot';
import { toRolePrincipal } from '../lib/arn.ts';
import { readFrontHost } from '../lib/partitions.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { isLoopbackHttp } from '../lib/webhook-url.ts';
import { frontId, type TrustedRole } from './values.ts';
import type { Values } from './variables.ts';

/** Where the server runs, as far as it decides which variables go together. */
export type Place = {
  /** Whether all of the AWS in use is a local one: only there are demo keys accepted. */
  readonly local: boolean;
  /** Whether this is AWS Lambda, which freezes the process between requests. */
  readonly onLambda: boolean;
};

/** The front of AWS Lambda that verifies callers, and the id of its API or Function URL. */
export type Front = {
  readonly kind: Exclude<Values['SENTINEL_FRONT'], 'none'>;
  readonly id: string;
};

/** What several variables settle together. */
export type Combination = {
  readonly publicUrl: string;
  /** Undefined where the server verifies callers itself. */
  readonly front: Front | undefined;
  readonly trustedSessionRoles: readonly TrustedRole[];
};

/**
 * Checks the variables that depend on one another. Refuses a combination that cannot work or cannot
 * be safe, with one sentence that names a variable to change.
 */
export function combine(values: Values, place: Place): Result<Combination, string> {
  if (isNested(values.SENTINEL_ROOT, values.SENTINEL_SECRETS_ROOT)) return refuse(NESTED);

  const publicUrl =
    values.SENTINEL_PUBLIC_URL ?? (place.local ? `http://localhost:${values.PORT}` : undefined);
  if (publicUrl === undefined) return refuse(NO_PUBLIC_URL);

  const front = readFront(values, place);
  if (!front.ok) return front;

  const trustedSessionRoles = values.SENTINEL_TRUSTED_SESSION_ROLES ?? [];
  const fault =
    findLambdaFault(values, place) ??
    findTrustedTwice(trustedSessionRoles) ??
    findWebhookFault(values.SENTINEL_WEBHOOK_URL, place);
  return fault === undefined
    ? ok({ publicUrl, front: front.value, trustedSessionRoles })
    : refuse(fault);
}

const NESTED =
  'SENTINEL_ROOT and SENTINEL_SECRETS_ROOT must not contain one another: whoever may read a path may read everything ' +
  'below it.';

const NO_PUBLIC_URL =
  'SENTINEL_PUBLIC_URL is not set; set it to the URL that callers use, like https://tvm.example.com.';

function isNested(root: string, secretsRoot: string): boolean {
  return `${root}/`.startsWith(`${secretsRoot}/`) || `${secretsRoot}/`.startsWith(`${root}/`);
}

/**
 * The front. Its id is the configured one, or else the first part of a public URL that AWS made.
 */
function readFront(values: Values, { onLambda }: Place): Result<Front | undefined, string> {
  const {
    SENTINEL_FRONT: kind,
    SENTINEL_FRONT_ID: configured,
    SENTINEL_PUBLIC_URL: publicUrl,
  } = values;
  if (kind === 'none') {
    if (configured === undefined) return ok(undefined);
    return refuse(
      'SENTINEL_FRONT_ID is set, but SENTINEL_FRONT is "none"; set that to function-url, http-api or rest-api.',
    );
  }
  if (!onLambda)
    return refuse(`SENTINEL_FRONT=${kind} is for AWS Lambda only; elsewhere it must be "none".`);
  const id = configured ?? frontIdOf(publicUrl);
  if (id !== undefined) return ok({ kind, id });
  return refuse(
    'SENTINEL_FRONT_ID is not set; set it to the id of the API or Function URL, the first part of its AWS host name.',
  );
}

/** The id in the URL of an API or Function URL; undefined for any other URL. */
function frontIdOf(publicUrl: string | undefined): string | undefined {
  const id = publicUrl === undefined ? undefined : readFrontHost(new URL(publicUrl).hostname)?.id;
  return v.is(frontId, id) ? id : undefined;
}

/**
 * What does not work on AWS Lambda, where a front or the adapter is before the server and no memory
 * is shared.
 */
function findLambdaFault(values: Values, { onLambda }: Place): string | undefined {
  if (!onLambda) return undefined;
  if (values.SENTINEL_FRONT === 'none' && values.SENTINEL_TRUSTED_HOPS === 0) {
    return 'SENTINEL_TRUSTED_HOPS must be at least 1 on AWS Lambda: there the peer is the adapter, whoever the caller is.';
  }
  if (values.SENTINEL_REPLAY_GUARD === 'instance') {
    return 'SENTINEL_REPLAY_GUARD must be "shared" on AWS Lambda: instances there share no memory.';
  }
  if (values.SENTINEL_RATE_LIMIT_STORE === 'memory') {
    return 'SENTINEL_RATE_LIMIT_STORE must be "shared" on AWS Lambda: instances there share no memory.';
  }
  return undefined;
}

/** A role that is listed with `=sso` and without: its people would have two names. */
function findTrustedTwice(roles: readonly TrustedRole[]): string | undefined {
  const kinds = new Map<string | undefined, TrustedRole['kind']>();
  for (const { arn, kind } of roles) {
    const principal = toRolePrincipal(arn);
    if ((kinds.get(principal) ?? kind) !== kind) {
      return `SENTINEL_TRUSTED_SESSION_ROLES lists ${principal} with "=sso" and without; keep one of them.`;
    }
    kinds.set(principal, kind);
  }
  return undefined;
}

/** A webhook that cannot work where this server runs. */
function findWebhookFault(
  webhook: string | undefined,
  { onLambda, local }: Place,
): string | undefined {
  if (webhook === undefined) return undefined;
  if (onLambda) {
    return 'SENTINEL_WEBHOOK_URL does not work on AWS Lambda, which freezes the process after each answer; set SENTINEL_SNS_TOPIC_ARN instead.';
  }
  if (isLoopbackHttp(webhook) && !local) {
    return 'SENTINEL_WEBHOOK_URL must begin with https://; http to loopback is for a local AWS endpoint only.';
  }
  return undefined;
}
