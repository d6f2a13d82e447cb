/**
 * API Gateway's service name, which clients sign for:
 * https://docs.aws.amazon.com/general/latest/gr/apigateway.html
 */
export const SERVICE = 'execute-api';

/** Said to whoever sends forwarded STS where it is switched off. */
export const NO_SERVER_ID =
  'Forwarded STS is switched off here: its operator has set no SENTINEL_SERVER_ID. Sign with a key of this server.';

/**
 * The names of the ways to authenticate that are switched on, for the log of the start.
 *
 * @param front the kind of the front that verifies callers before this server; undefined without
 *   one
 */
export function mechanismNames(
  front: string | undefined,
  serverId: string | undefined,
): readonly string[] {
  if (front !== undefined) return [front];
  return ['registered-key', 'minted-key', ...(serverId === undefined ? [] : ['forwarded-sts'])];
}
