/* SPDX-License-Identifier: Apache-2.0
 *
 * A source without documents: for calls outside of any, and for starting a function to see whether it starts. Fields
 * can be resolved, and are missing. */
#ifndef QD_UDF_NO_DOCS_H
#define QD_UDF_NO_DOCS_H

#include "wasm/doc_source.h"

extern const qd_doc_source qd_no_docs;

#endif
