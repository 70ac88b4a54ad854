// The YAML library, also in a bundle that is one ES module. The global require is there only while
// the library is evaluated.
import './require-on.ts';

export {
  Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  parseDocument,
  Scalar,
  visit,
} from 'yaml';

import './require-off.ts';
