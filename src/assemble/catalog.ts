import { createOwnIdentity } from '../aws/own-identity.ts';
import { createCatalog, type Catalog } from '../catalog/catalog.ts';
import { createCatalogLoader } from '../catalog/load.ts';
import { createPeopleSetting } from '../catalog/people-setting.ts';
import { createNamesSetting } from '../catalog/names-setting.ts';
import { reportCatalog } from '../catalog/report.ts';
import { createVendedRoles } from '../catalog/vended-roles.ts';
import type { Overrides, Runtime } from './runtime.ts';

/**
 * Constructs the catalog: what loads the documents, and the snapshot that requests are decided by.
 */
export function assembleCatalog(
  { config, clock, monotonic, clients, logger, onFault }: Runtime,
  { onMismatch = (sentence) => logger.fatal(sentence) }: Overrides,
): Catalog {
  const table = { client: clients.dynamodb, table: config.tables.guard };
  const where = config.endpoints.ssm ?? `AWS in ${config.region}`;
  return createCatalog({
    load: createCatalogLoader({
      ssm: clients.ssm,
      ownIdentity: createOwnIdentity(clients.sts),
      vendedRoles: createVendedRoles({
        ...table,
        clock,
        onFault: onFault('the list of vended roles cannot be written'),
      }),
      isPeopleMissing: createPeopleSetting(table),
      confirmNames: createNamesSetting({ ...table, bareNames: config.bareNames, onMismatch }),
      root: config.root,
      secretsRoot: config.secretsRoot,
      demoKeys: config.local,
      names: config,
      maxAge: config.catalogMaxAge,
      now: monotonic,
    }),
    clock: monotonic,
    maxAge: config.catalogMaxAge,
    frozen: config.onLambda,
    onLoad: (snapshot, previous) => reportCatalog(logger, snapshot, previous),
    onFault: onFault(`the documents cannot be read from ${where}; trying again`),
    random: Math.random,
  });
}
