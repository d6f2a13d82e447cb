import type { Parameter, SSMClient } from '@aws-sdk/client-ssm';
import { readParameterTree } from '../aws/paging.ts';
import { createDocumentCompiler, type StoredDocument } from './compile.ts';
import type { Snapshot } from './snapshot.ts';

type Source = {
  readonly ssm: SSMClient;
  /** Tells the TVM's own account; throws while AWS cannot be reached. */
  readonly ownAccount: () => Promise<string>;
  readonly root: string;
  readonly secretsRoot: string;
  readonly demoKeys: boolean;
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
  ownAccount,
  root,
  secretsRoot,
  demoKeys,
  now,
}: Source): (() => Promise<Snapshot>) => {
  const compile = createDocumentCompiler();
  return async () => {
    const readAt = now();
    const [account, documents, secrets] = await Promise.all([
      ownAccount(),
      readParameterTree(ssm, root, false),
      readParameterTree(ssm, secretsRoot, true),
    ]);
    const compiled = compile({
      root,
      secretsRoot,
      documents: documents.parameters.map(toStored),
      secrets: secrets.parameters.map(toStored),
      demoKeys,
    });
    return { ...compiled, readAt, account, pages: documents.pages + secrets.pages };
  };
};
