import { nearest } from '../lib/nearest.ts';
import { escapeUnseen } from '../lib/unseen.ts';

const PREFIX = 'SENTINEL_';

/**
 * Kubernetes adds `SENTINEL_SERVICE_HOST` and `SENTINEL_PORT…` to pods beside a service called
 * `sentinel`.
 */
const INJECTED = /^SENTINEL_(?:SERVICE_|PORT)/u;

const DEVICES =
  'no device is verified here, and rules with a device condition never allow; leave it out';
const SIGNATURES =
  'policies are not signed here, so restrict who may write below SENTINEL_ROOT, and leave the variable out';
const SECOND_FACTORS = 'break-glass asks for no second factor here; leave it out';
const STREAMS =
  'audit records go to stdout, whose destination is set where the container runs; leave it out';

/**
 * Variables of Sentinel, the Go project, that have another name here or none: what to do instead,
 * as the end of a sentence.
 */
const SENTINELS_OWN: ReadonlyMap<string, string> = new Map([
  [
    'POLICY_ROOT',
    'here policies lie under SENTINEL_ROOT/policies, so set SENTINEL_ROOT to the path above them',
  ],
  [
    'POLICY_PARAMETER',
    'here each profile has its own policy, SENTINEL_ROOT/policies/<profile>; leave it out',
  ],
  ['REQUEST_TABLE', 'here it is SENTINEL_APPROVAL_TABLE'],
  [
    'RATE_LIMIT_TABLE',
    'here shared counts are kept in SENTINEL_GUARD_TABLE, with SENTINEL_RATE_LIMIT_STORE=shared; leave it out',
  ],
  ['POLICY_SIGNING_KEY', SIGNATURES],
  ['ENFORCE_POLICY_SIGNING', SIGNATURES],
  ['MFA_TOTP_SECRETS_PARAM', SECOND_FACTORS],
  ['MFA_SMS_PHONES_PARAM', SECOND_FACTORS],
  ['CLOUDWATCH_LOG_GROUP', STREAMS],
  ['CLOUDWATCH_STREAM', STREAMS],
  ['REQUIRE_DEVICE', DEVICES],
  ['MDM_PROVIDER', DEVICES],
  ['MDM_BASE_URL', DEVICES],
  ['MDM_API_SECRET_ID', DEVICES],
  ['MDM_API_TOKEN', DEVICES],
  ['MDM_TENANT_ID', DEVICES],
]);

/**
 * Looks for a `SENTINEL_*` variable that this server does not know.
 *
 * @param given the names in the environment
 * @param known the names that this server knows
 * @returns a sentence that names the variable, with its replacement if it is one of Sentinel's own,
 *   or else the known name that is near; undefined if all are known
 */
export function findUnknown(
  given: readonly string[],
  known: readonly string[],
): string | undefined {
  const unknown = given.find(
    (name) => name.startsWith(PREFIX) && !known.includes(name) && !INJECTED.test(name),
  );
  if (unknown === undefined) return undefined;
  const name = unknown.slice(PREFIX.length);
  const here = SENTINELS_OWN.get(name);
  if (here !== undefined)
    return `${unknown} is a variable of Sentinel, not of this server: ${here}.`;
  // Without the common prefix, which would make any two of them near.
  const names = known.map((one) => one.slice(PREFIX.length));
  const meant = nearest(name, names);
  const guess = meant === undefined ? '.' : `; did you mean ${PREFIX}${meant}?`;
  return `${escapeUnseen(unknown)} is not a variable of this server${guess}`;
}
