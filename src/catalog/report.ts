import type { Logger } from '../telemetry/logger.ts';
import type { Snapshot } from './snapshot.ts';

/** So many new findings get a line each; the rest is counted, so that a mass change does not flood the log. */
const MAX_FINDINGS = 50;

/** Logs what changed since the snapshot before: each refresh would repeat what has not. */
export function reportCatalog(logger: Logger, snapshot: Snapshot, previous: Snapshot | undefined): void {
  for (const rejection of newOnes(snapshot.rejections, previous?.rejections)) {
    logger.error(
      rejection,
      `the document ${rejection.parameter} is broken and gives nobody anything until it is mended`,
    );
  }
  const findings = newOnes(snapshot.findings, previous?.findings);
  for (const finding of findings.slice(0, MAX_FINDINGS)) {
    logger.warn(finding, `the document ${finding.parameter} is in force, but hardly meant as it stands`);
  }
  if (findings.length > MAX_FINDINGS) {
    logger.warn(`${findings.length - MAX_FINDINGS} more documents' rules are such`);
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

/** What a list has that the one before had not. */
function newOnes<Item>(items: readonly Item[], before: readonly Item[] = []): readonly Item[] {
  const known = new Set(before.map((item) => JSON.stringify(item)));
  return items.filter((item) => !known.has(JSON.stringify(item)));
}
