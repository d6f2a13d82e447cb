import type { Parameter, SSMClient } from '@aws-sdk/client-ssm';
import type { OwnAwsIdentity } from '../aws/own-identity.ts';
import { readParameterTree } from '../aws/paging.ts';
import type { NameSettings } from '../policy/known-callers.ts';
import { createDocumentCompiler, type StoredDocument } from './compile.ts';
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
  /** Epoch milliseconds. */
  readonly now: () => number;
};

const toStored = ({ Name, Type, Value }: Parameter): StoredDocument => ({
  name: Name ?? '',
  type: Type ?? '',
  text: Value ?? '',
});

/** Reads both trees and compiles them into a snapshot. Throws if a page cannot be read: half a catalog is none. */
export const createCatalogLoader = ({
  ssm,
  ownIdentity,
  vendedRoles,
  confirmNames,
  root,
  secretsRoot,
  demoKeys,
  names,
  now,
}: Source): (() => Promise<Snapshot>) => {
  const compile = createDocumentCompiler(names);
  return async () => {
    const readAt = now();
    const [{ account, role }, documents, secrets] = await Promise.all([
      ownIdentity(),
      readParameterTree(ssm, root, false),
      readParameterTree(ssm, secretsRoot, true),
      confirmNames(),
    ]);
    const compiled = compile({
      root,
      secretsRoot,
      documents: documents.parameters.map(toStored),
      secrets: secrets.parameters.map(toStored),
      demoKeys,
      account,
    });
    const { roles, ...rest } = compiled;
    const vended = await vendedRoles.remember(roles);
    const neverCallers = new Set(role === undefined ? vended : [...vended, role]);
    return { ...rest, readAt, account, neverCallers, pages: documents.pages + secrets.pages };
  };
};
