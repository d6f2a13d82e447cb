import { setTimeout as sleep } from 'node:timers/promises';
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { OwnAwsIdentity } from '../aws/own-identity.ts';
import { createParameterReader, type StoredParameter } from '../aws/paging.ts';
import type { Clock } from '../lib/clock.ts';
import { runInSlices } from '../lib/slices.ts';
import type { NameSettings } from '../policy/known-callers.ts';
import { createDocumentCompiler, type Compiled } from './compile.ts';
import { createDocumentTree } from './document-tree.ts';
import { callGap, createTurns, type CatalogSize } from './pace.ts';
import type { Snapshot } from './snapshot.ts';
import type { VendedRoles } from './vended-roles.ts';

type Source = {
  readonly ssm: SSMClient;
  /** Tells who the TVM is; throws while AWS cannot be reached. */
  readonly ownIdentity: () => Promise<OwnAwsIdentity>;
  readonly vendedRoles: VendedRoles;
  /** Rejects while it is not certain that the tables were written under today's setting of names. */
  readonly confirmNames: () => Promise<void>;
  readonly root: string;
  readonly secretsRoot: string;
  readonly demoKeys: boolean;
  /** Which callers there can be. */
  readonly names: NameSettings;
  /** How long a snapshot may serve, in milliseconds: readings must come and end well within. */
  readonly maxAge: number;
  /** The monotonic clock, in milliseconds. */
  readonly now: Clock;
};

/** Reads the documents into a snapshot. Rejects if one page cannot be read, or when the signal ends it. */
export type LoadCatalog = (signal: AbortSignal) => Promise<Snapshot>;

/** By name, so that lists of profiles and of broken documents do not depend on what changed when. */
function sorted(documents: Iterable<StoredParameter>): readonly StoredParameter[] {
  return [...documents].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Reads both trees and compiles them into a snapshot. Throws if a page cannot be read: half a catalog is none.
 * Where nothing has changed, nothing is compiled.
 */
export function createCatalogLoader({
  ssm,
  ownIdentity,
  vendedRoles,
  confirmNames,
  root,
  secretsRoot,
  demoKeys,
  names,
  maxAge,
  now,
}: Source): LoadCatalog {
  const compile = createDocumentCompiler(names);
  const reader = createParameterReader(ssm);
  const documents = createDocumentTree({ reader, path: root, decrypt: false, clock: now });
  const secrets = createDocumentTree({ reader, path: secretsRoot, decrypt: true, clock: now });
  let compiled: { readonly version: number; readonly result: Compiled } | undefined;

  function sizeNow(): CatalogSize {
    return {
      parameters: documents.size() + secrets.size(),
      pages: documents.pages() + secrets.pages(),
    };
  }

  /** The documents as they are known now. */
  async function compileChanges(account: string): Promise<Compiled> {
    const version = documents.version() + secrets.version();
    if (compiled?.version === version) return compiled.result;
    const result = await runInSlices(
      compile({
        root,
        secretsRoot,
        documents: sorted(documents.documents()),
        secrets: sorted(secrets.documents()),
        demoKeys,
        account,
      }),
    );
    compiled = { version, result };
    return result;
  }

  async function loadCatalog(signal: AbortSignal): Promise<Snapshot> {
    const readAt = now();
    // While there is nothing to serve by, nothing is spared.
    const gap = compiled === undefined ? 0 : callGap(sizeNow(), maxAge);
    const reading = { signal, turn: createTurns(gap, now, (ms) => sleep(ms, undefined, { signal })) };
    const [{ account, role }] = await Promise.all([
      ownIdentity(),
      documents.read(reading),
      secrets.read(reading),
      confirmNames(),
    ]);
    const { roles, ...rest } = await compileChanges(account);
    const vended = await vendedRoles.remember(roles);
    const neverCallers = new Set(role === undefined ? vended : [...vended, role]);
    return { ...rest, readAt, account, neverCallers, ...sizeNow() };
  }

  return loadCatalog;
}
