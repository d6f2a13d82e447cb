import type { AccessRequest } from '../../approvals/request.ts';
import type { Revocations } from '../../revocations/feed.ts';

/**
 * Whether the log of revocations says that a request has ended, or the chain that it extends:
 * whoever ends any request of a chain ends all of it.
 */
export function isEndedInLog(
  { id, root }: Pick<AccessRequest, 'id' | 'root'>,
  { ofGrant }: Pick<Revocations, 'ofGrant'>,
): boolean {
  return ofGrant(id) !== undefined || ofGrant(root) !== undefined;
}
