import { createAwsClients } from '../../src/aws/clients.ts';
import { createCatalogLoader } from '../../src/catalog/load.ts';
import type { Snapshot } from '../../src/catalog/snapshot.ts';
import { ADMISSION } from './identity.ts';

/** Reads all documents of an AWS, as a TVM does. */
export type CatalogReader = {
  /** Reads them once more. What was read before is remembered, so the next reading costs less. */
  readonly load: () => Promise<Snapshot>;
  /** Closes its connections to AWS. */
  readonly close: () => void;
};

/** A catalog loader without a TVM around it, on the demo roots of the AWS at `url`. */
export function createCatalogReader(url: string): CatalogReader {
  const clients = createAwsClients({
    region: 'us-east-1',
    endpoints: { sts: url, ssm: url, dynamodb: url },
  });
  const load = createCatalogLoader({
    ssm: clients.ssm,
    ownIdentity: () => Promise.resolve({ account: '000000000000', role: undefined }),
    vendedRoles: { remember: (roles) => Promise.resolve(new Set(roles)) },
    isPeopleMissing: () => Promise.resolve(false),
    confirmNames: () => Promise.resolve(),
    names: ADMISSION,
    root: '/sentinel',
    secretsRoot: '/sentinel-secrets',
    demoKeys: true,
    maxAge: 300_000,
    now: () => performance.now(),
  });
  return {
    load: () => load(new AbortController().signal),
    close: () => {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}
