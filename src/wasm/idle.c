/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's count of stores, and instances that wait for reuse. */
#include "wasm/instance.h"
#include "wasm/module_impl.h"
#include "wasm/program_impl.h"

static void unlink_locked(qd_wasm_engine *e, qd_instance *i)
{
    *(i->newer ? &i->newer->older : &e->idle_new) = i->older;
    *(i->older ? &i->older->newer : &e->idle_old) = i->newer;
    i->newer = i->older = NULL;
    i->program->n_idle--;
    e->n_idle--;
}

static qd_instance *find_locked(qd_wasm_engine *e, const qd_wasm_program *p, uint64_t varying)
{
    if (p->n_idle == 0)
        return NULL;
    for (qd_instance *i = e->idle_new; i; i = i->older)
        if (i->program == p && i->varying == varying && !qd_instance_is_outdated(i))
            return i;
    return NULL;
}

/* In stores of the pool: each dependency may take as much of it as a function. */
static uint32_t weight_of(const qd_wasm_program *p)
{
    return 1 + (uint32_t)p->module->links.n;
}

/* Takes out of the list what has to go, longest idle first, so that `n` more stores fit. False when that is not enough:
 * then nothing was taken. Idle instances have no dependencies. */
static bool make_room_locked(qd_wasm_engine *e, uint32_t n, qd_instance **dropped)
{
    if (e->n_stores - e->n_idle + n > e->options.max_live_instances)
        return false;
    while (e->n_stores + n > e->options.max_live_instances) {
        qd_instance *i = e->idle_old;
        unlink_locked(e, i);
        e->n_stores--;
        i->older = *dropped;
        *dropped = i;
    }
    e->n_stores += n;
    return true;
}

static uint32_t free_all(qd_instance *list)
{
    uint32_t n = 0;
    for (qd_instance *next; list; list = next, n++) {
        next = list->older;
        qd_instance_free(list);
    }
    return n;
}

qd_status qd_wasm_engine_take(qd_wasm_engine *e, qd_wasm_program *p, uint64_t varying, qd_instance **out, qd_error *err)
{
    qd_status rc = QD_OK;
    pthread_mutex_lock(&e->mutex);
    qd_instance *reused = find_locked(e, p, varying), *dropped = NULL;
    if (reused)
        unlink_locked(e, reused);
    else if (!make_room_locked(e, weight_of(p), &dropped))
        rc = QD_EBUSY;
    pthread_mutex_unlock(&e->mutex);
    if (rc)
        return qd_fail(err, rc, "%u function calls are under way, which is the limit: try again later",
                       e->options.max_live_instances);
    free_all(dropped);
    *out = reused;
    return QD_OK;
}

bool qd_wasm_engine_keep(qd_wasm_engine *e, qd_instance *i)
{
    pthread_mutex_lock(&e->mutex);
    /* Who puts better code in place drops the idle instances with the old after that, by qd_wasm_engine_forget_native:
     * no outdated one stays. */
    bool has_room = i->program->n_idle < e->options.idle_instances_per_program && !qd_instance_is_outdated(i);
    if (has_room) {
        i->newer = NULL;
        i->older = e->idle_new;
        *(e->idle_new ? &e->idle_new->newer : &e->idle_old) = i;
        e->idle_new = i;
        i->program->n_idle++;
        e->n_idle++;
    }
    pthread_mutex_unlock(&e->mutex);
    return has_room;
}

void qd_wasm_engine_give_back(qd_wasm_engine *e, const qd_wasm_program *p)
{
    pthread_mutex_lock(&e->mutex);
    e->n_stores -= weight_of(p);
    pthread_mutex_unlock(&e->mutex);
}

/* One of the two is NULL. */
static void forget(qd_wasm_engine *e, const qd_wasm_program *p, const qd_wasm_native *native)
{
    qd_instance *dropped = NULL;
    pthread_mutex_lock(&e->mutex);
    for (qd_instance *i = e->idle_new, *older; i && !(p && p->n_idle == 0); i = older) {
        older = i->older;
        if (i->program != p && i->native != native)
            continue;
        unlink_locked(e, i);
        i->older = dropped;
        dropped = i;
    }
    pthread_mutex_unlock(&e->mutex);
    uint32_t n_dropped = free_all(dropped);
    pthread_mutex_lock(&e->mutex); /* their places are free when they are gone */
    e->n_stores -= n_dropped;
    pthread_mutex_unlock(&e->mutex);
}

void qd_wasm_engine_forget(qd_wasm_engine *e, const qd_wasm_program *p)
{
    forget(e, p, NULL);
}

void qd_wasm_engine_forget_native(qd_wasm_engine *e, const qd_wasm_native *native)
{
    forget(e, NULL, native);
}
