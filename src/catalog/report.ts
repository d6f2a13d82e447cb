import type { Logger } from '../telemetry/logger.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * New findings that get a line each. The rest is counted, so that a large change does not flood the
 * log.
 */
const MAX_FINDINGS = 50;

/**
 * Logs the rejections and findings that the previous snapshot did not have, so that no refresh
 * repeats them.
 */
export function reportCatalog(
  logger: Logger,
  snapshot: Snapshot,
  previous: Snapshot | undefined,
): void {
  for (const rejection of newOnes(snapshot.rejections, previous?.rejections)) {
    logger.error(
      rejection,
      `the document ${rejection.parameter} is broken, and gives nobody access until it is corrected`,
    );
  }
  const findings = newOnes(snapshot.findings, previous?.findings);
  for (const finding of findings.slice(0, MAX_FINDINGS)) {
    logger.warn(
      finding,
      `the document ${finding.parameter} applies as written, but probably has a mistake`,
    );
  }
  if (findings.length > MAX_FINDINGS) {
    logger.warn(`${findings.length - MAX_FINDINGS} more findings in documents are not logged`);
  }
  const counts = {
    profiles: snapshot.profiles.size,
    clients: snapshot.clients.size,
    rejected: snapshot.rejections.length,
    findings: snapshot.findings.length,
  };
  if (previous === undefined) logger.info(counts, 'the documents are loaded');
  else logger.debug(counts, 'the documents are loaded again');
}

/** The items that the previous list did not have. */
function newOnes<Item>(items: readonly Item[], before: readonly Item[] = []): readonly Item[] {
  const known = new Set(before.map((item) => JSON.stringify(item)));
  return items.filter((item) => !known.has(JSON.stringify(item)));
}
