import { setTimeout as sleep } from 'node:timers/promises';
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { OwnAwsIdentity } from '../aws/own-identity.ts';
import { createParameterReader } from '../aws/paging.ts';
import type { StoredParameter } from '../aws/parameters.ts';
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
  /** Gives the TVM's own account and role; throws while AWS cannot be reached. */
  readonly ownIdentity: () => Promise<OwnAwsIdentity>;
  readonly vendedRoles: VendedRoles;
  /** Rejects unless the tables are known to have been written under today's SENTINEL_BARE_NAMES. */
  readonly confirmNames: () => Promise<void>;
  /** Remembers whether there was a document of people, and tells whether it is missing. */
  readonly isPeopleMissing: (isThere: boolean) => Promise<boolean>;
  readonly root: string;
  readonly secretsRoot: string;
  readonly demoKeys: boolean;
  /** The settings that determine which callers can exist. */
  readonly names: NameSettings;
  /**
   * How long a snapshot may be used, in milliseconds. Readings are paced so that they end well
   * within that.
   */
  readonly maxAge: number;
  /** A monotonic clock, in milliseconds. */
  readonly now: Clock;
};

/**
 * Reads the documents into a snapshot. Rejects if a page cannot be read, or when the signal aborts.
 */
export type LoadCatalog = (signal: AbortSignal) => Promise<Snapshot>;

/**
 * Sorts by name, so that the order of profiles and of broken documents does not depend on what
 * changed when.
 */
function sorted(documents: Iterable<StoredParameter>): readonly StoredParameter[] {
  return [...documents].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Makes the function that reads both trees and compiles them into a snapshot. It rejects if a page
 * cannot be read: there is no snapshot of a part of the documents. It compiles nothing if nothing
 * has changed.
 */
export function createCatalogLoader(source: Source): LoadCatalog {
  const {
    ssm,
    ownIdentity,
    vendedRoles,
    confirmNames,
    isPeopleMissing,
    root,
    secretsRoot,
    demoKeys,
    maxAge,
    now,
  } = source;
  const compile = createDocumentCompiler(source.names);
  const reader = createParameterReader(ssm);
  const documents = createDocumentTree({ reader, path: root, decrypt: false, clock: now });
  const secrets = createDocumentTree({ reader, path: secretsRoot, decrypt: true, clock: now });
  /** The last result of compiling, until a document changes. */
  let compiled: { readonly version: number; readonly result: Compiled } | undefined;

  function sizeNow(): CatalogSize {
    return {
      parameters: documents.size() + secrets.size(),
      pages: documents.pages() + secrets.pages(),
    };
  }

  /** Compiles the documents as they are known now, or gives the last result if none has changed. */
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
    // The first reading is not paced: until it ends, no request can be decided.
    const gap = compiled === undefined ? 0 : callGap(sizeNow(), maxAge);
    const reading = {
      signal,
      turn: createTurns(gap, now, (ms) => sleep(ms, undefined, { signal })),
    };
    const [{ account, role }] = await Promise.all([
      ownIdentity(),
      documents.read(reading),
      secrets.read(reading),
      confirmNames(),
    ]);
    const { roles, ...rest } = await compileChanges(account);
    // What the TVM vends, and its own role, is never a caller.
    const vended = await vendedRoles.remember(roles);
    const neverCallers = new Set(role === undefined ? vended : [...vended, role]);
    // Where nobody can tell nothing is approved, which could not be written down either.
    const isMissing = await isPeopleMissing(rest.people !== undefined).catch(() => true);
    const people = isMissing ? 'broken' : rest.people;
    return { ...rest, people, readAt, account, neverCallers, ...sizeNow() };
  }

  return loadCatalog;
}
