#include "extension.hpp"

#define THIS_FILE "webtrunk"

/* The door that nomedia.py puts into activesock.c. */
extern "C" pj_bool_t (*webtrunk_admits)(pj_sock_t sock, const pj_sockaddr *remote);

namespace pj {

namespace {

std::string text(const pj_str_t &value)
{
    return std::string(value.ptr, value.slen);
}

/* A call with its dialog locked, for as long as the object lives. */
class LockedCall {
public:
    explicit LockedCall(int callId) : call(NULL), dialog(NULL)
    {
        if (callId < 0 || callId >= (int)pjsua_var.ua_cfg.max_calls)
            return;
        if (acquire_call("webtrunk", callId, &call, &dialog) != PJ_SUCCESS)
            call = NULL;
    }
    ~LockedCall()
    {
        if (call)
            pjsip_dlg_dec_lock(dialog);
    }
    pjsip_inv_session *invite() const { return call ? call->inv : NULL; }

private:
    LockedCall(const LockedCall &);
    pjsua_call *call;
    pjsip_dialog *dialog;
};

std::string print(const pjmedia_sdp_session *sdp)
{
    std::vector<char> buffer(PJSUA2_MAX_SDP_BUF_LEN);
    int length = pjmedia_sdp_print(sdp, &buffer[0], buffer.size());
    return length > 0 ? std::string(&buffer[0], length) : std::string();
}

std::string body(const pjsip_rx_data *rdata)
{
    const pjsip_msg_body *part = rdata->msg_info.msg->body;
    return part ? std::string((const char *)part->data, part->len) : std::string();
}

const pjsip_generic_array_hdr *announced(int kind)
{
    return (const pjsip_generic_array_hdr *)pjsip_endpt_get_capability(pjsua_get_pjsip_endpt(), kind, NULL);
}

/* Take a value out of Allow or Supported; pjsip's own list is what it sends. */
void forget(int kind, const char *word)
{
    pjsip_generic_array_hdr *list = (pjsip_generic_array_hdr *)announced(kind);
    unsigned left = 0;
    for (unsigned i = 0; i < list->count; ++i) {
        if (pj_stricmp2(&list->values[i], word) != 0)
            list->values[left++] = list->values[i];
    }
    list->count = left;
}

/* What a refusal must say (RFC 3261 §8.2.1, §8.2.2.3). */
void addRefusal(pjsip_hdr *headers, pj_pool_t *pool, int status)
{
    pj_list_init(headers);
    if (status == PJSIP_SC_METHOD_NOT_ALLOWED)
        pj_list_push_back(headers, pjsip_hdr_clone(pool, announced(PJSIP_H_ALLOW)));
    if (status == PJSIP_SC_BAD_EXTENSION) {
        pjsip_unsupported_hdr *header = pjsip_unsupported_hdr_create(pool);
        header->values[header->count++] = pj_str((char *)"replaces");
        pj_list_push_back(headers, header);
    }
}

/* Without a transaction: nothing is kept of the request. */
void refuse(pjsip_rx_data *rdata, int status)
{
    pjsip_hdr headers;
    addRefusal(&headers, rdata->tp_info.pool, status);
    pjsip_endpt_respond_stateless(pjsua_get_pjsip_endpt(), rdata, status, NULL, &headers, NULL);
}

/* The call of a dialog; NULL once it is over: its slot may hold another one by now. */
const pjsua_call *callOf(const pjsip_dialog *dialog)
{
    const pjsua_call *call = (const pjsua_call *)dialog->mod_data[pjsua_var.mod.id];
    return call && call->inv && call->inv->dlg == dialog ? call : NULL;
}

/* Whether the transport of a request failed, so that nobody may have got it. */
bool isLost(const pjsip_event *event)
{
    return event->body.tsx_state.type != PJSIP_EVENT_RX_MSG
        && event->body.tsx_state.tsx->status_code != PJSIP_SC_TSX_TIMEOUT;
}

/* A request that was written elsewhere; NULL if it is none. */
pjsip_tx_data *requestOf(const std::string &message)
{
    pjsip_tx_data *request;
    if (pjsip_endpt_create_tdata(pjsua_get_pjsip_endpt(), &request) != PJ_SUCCESS)
        return NULL;
    pjsip_tx_data_add_ref(request);
    char *buffer = (char *)pj_pool_zalloc(request->pool, message.size() + 1);
    pj_memcpy(buffer, message.data(), message.size());
    pjsip_msg *text = request->msg = pjsip_parse_msg(request->pool, buffer, message.size(), NULL);
    if (text && text->type == PJSIP_REQUEST_MSG && pjsip_msg_find_hdr(text, PJSIP_H_VIA, NULL)
        && pjsip_msg_find_hdr(text, PJSIP_H_CSEQ, NULL))
        return request;
    pjsip_tx_data_dec_ref(request);
    return NULL;
}

}  // namespace

/* A request without a dialog that waits for its final response. */
struct Errand {
    int token;
    int accountId;
    bool isRetry;
};

std::string activeRemoteSdp(int callId)
{
    LockedCall call(callId);
    const pjmedia_sdp_session *sdp = NULL;
    if (!call.invite() || !call.invite()->neg)
        return "";
    return pjmedia_sdp_neg_get_active_remote(call.invite()->neg, &sdp) == PJ_SUCCESS ? print(sdp) : "";
}

void forgetInvite(int callId)
{
    LockedCall call(callId);
    if (!call.invite() || !call.invite()->invite_req)
        return;
    pjsip_tx_data_dec_ref(call.invite()->invite_req);
    call.invite()->invite_req = NULL;
}

void terminateCall(int callId, const std::string &callIdHeader, int status)
{
    LockedCall call(callId);
    if (!call.invite() || text(call.invite()->dlg->call_id->id) != callIdHeader)
        return;
    pjsip_transaction *transaction = call.invite()->invite_tsx;
    if (transaction && transaction->state < PJSIP_TSX_STATE_TERMINATED)
        pjsip_tsx_terminate(transaction, status);
    else
        pjsip_inv_terminate(call.invite(), status, PJ_TRUE);
}

void endSessionTimer(int callId)
{
    LockedCall call(callId);
    if (call.invite())
        pjsip_timer_end_session(call.invite());
}

int listenOn(int transportId, const std::string &address, int port) PJSUA2_THROW(Error)
{
    pjsip_tpfactory *factory = pjsua_var.tpdata[transportId].data.factory;
    bool isTls = (factory->type & ~PJSIP_TRANSPORT_IPV6) == PJSIP_TRANSPORT_TLS;
    bool isIpv6 = (factory->type & PJSIP_TRANSPORT_IPV6) != 0;
    pj_str_t host = pj_str((char *)address.c_str());
    pj_sockaddr local;
    PJSUA2_CHECK_EXPR(pj_sockaddr_init(isIpv6 ? pj_AF_INET6() : pj_AF_INET(), &local, &host, (pj_uint16_t)port));
    pjsip_host_port published = factory->addr_name;
    published.port = 0;
    if (isTls)
        PJSUA2_CHECK_EXPR(pjsip_tls_transport_lis_start(factory, &local, &published));
    else
        PJSUA2_CHECK_EXPR(pjsip_tcp_transport_lis_start(factory, &local, &published));
    return factory->addr_name.port;
}

int liveCalls()
{
    return (int)pjsua_call_get_count();
}

int nextTimerMs()
{
    pj_timer_heap_t *heap = pjsip_endpt_get_timer_heap(pjsua_get_pjsip_endpt());
    pj_time_val due, now;
    if (pj_timer_heap_earliest_time(heap, &due) != PJ_SUCCESS)
        return -1;
    pj_gettickcount(&now);
    PJ_TIME_VAL_SUB(due, now);
    long left = PJ_TIME_VAL_MSEC(due);
    return left < 0 ? 0 : (int)PJ_MIN(left, 3600000L);
}

/* RequestGate */

RequestGate *RequestGate::attached = NULL;

RequestGate::RequestGate() : resuming(NULL), nextToken(1)
{
    pj_bzero(&module, sizeof(module));
    pj_bzero(&follower, sizeof(follower));
}

RequestGate::~RequestGate()
{
    detach();
}

void RequestGate::attach() PJSUA2_THROW(Error)
{
    if (attached)
        PJSUA2_RAISE_ERROR(PJ_EEXISTS);
    module.name = pj_str((char *)"mod-webtrunk-gate");
    module.id = -1;
    module.priority = PJSIP_MOD_PRIORITY_UA_PROXY_LAYER - 1;
    module.on_rx_request = &RequestGate::on_rx_request;
    module.on_rx_response = &RequestGate::on_rx_response;
    module.on_tx_request = &RequestGate::on_tx;
    module.on_tx_response = &RequestGate::on_tx_response;
    PJSUA2_CHECK_EXPR(pjsip_endpt_register_module(pjsua_get_pjsip_endpt(), &module));
    follower.name = pj_str((char *)"mod-webtrunk-follower");
    follower.id = -1;
    follower.priority = PJSIP_MOD_PRIORITY_DIALOG_USAGE + 1;
    follower.on_tsx_state = &RequestGate::on_tsx_state;
    PJSUA2_CHECK_EXPR(pjsip_endpt_register_module(pjsua_get_pjsip_endpt(), &follower));
    attached = this;
    webtrunk_admits = &RequestGate::on_accept;
    forgetCapabilities();
}

/* pjsua announces all that it could do in other hands. */
void RequestGate::forgetCapabilities()
{
    static const char *const methods[] = {"REFER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "PUBLISH"};
    static const char *const extensions[] = {"replaces", "norefersub", "trickle-ice"};
    for (unsigned i = 0; i < PJ_ARRAY_SIZE(methods); ++i)
        forget(PJSIP_H_ALLOW, methods[i]);
    for (unsigned i = 0; i < PJ_ARRAY_SIZE(extensions); ++i)
        forget(PJSIP_H_SUPPORTED, extensions[i]);
}

void RequestGate::detach()
{
    if (attached != this)
        return;
    attached = NULL;
    webtrunk_admits = NULL;
    if (!pjsua_get_pjsip_endpt())
        return;
    pjsip_endpt_unregister_module(pjsua_get_pjsip_endpt(), &follower);
    pjsip_endpt_unregister_module(pjsua_get_pjsip_endpt(), &module);
    for (std::map<int, pjsip_rx_data *>::iterator it = waiting.begin(); it != waiting.end(); ++it)
        pjsip_rx_data_free_cloned(it->second);
    waiting.clear();
}

pj_bool_t RequestGate::on_rx_request(pjsip_rx_data *rdata)
{
    return attached && rdata != attached->resuming ? attached->receive(rdata) : PJ_FALSE;
}

pj_bool_t RequestGate::receive(pjsip_rx_data *rdata)
{
    if (rdata->msg_info.to->tag.slen) {
        pjsip_dialog *dialog = pjsip_ua_find_dialog(&rdata->msg_info.cid->id, &rdata->msg_info.to->tag,
                                                    &rdata->msg_info.from->tag, PJ_FALSE);
        if (dialog)
            return receiveInDialog(rdata, dialog);
    }
    SipRxData copy;
    copy.fromPj(*rdata);
    int verdict = onRequest(text(rdata->msg_info.msg->line.req.method.name), copy);
    bool is_ack = rdata->msg_info.msg->line.req.method.id == PJSIP_ACK_METHOD;
    if (verdict >= 200 && !is_ack)
        refuse(rdata, verdict);
    /* Unknown to who does not have it, so it is passed over (RFC 3261 §8.2.2); pjsua would replace a call by it. */
    const pj_str_t replaces = pj_str((char *)"Replaces");
    while (void *header = pjsip_msg_find_hdr_by_name(rdata->msg_info.msg, &replaces, NULL))
        pj_list_erase(header);
    return verdict != 0;
}

pj_bool_t RequestGate::receiveInDialog(pjsip_rx_data *rdata, pjsip_dialog *dialog)
{
    const pjsip_method &method = rdata->msg_info.msg->line.req.method;
    const pjsua_call *call = callOf(dialog);
    bool ends_call = call && method.id == PJSIP_BYE_METHOD;
    if (method.id != PJSIP_ACK_METHOD && !ends_call
        && !onDialogRequest(text(dialog->local.info->tag), rdata->pkt_info.src_name)) {
        refuse(rdata, PJSIP_SC_SERVICE_UNAVAILABLE);
        return PJ_TRUE;
    }
    bool has_body = rdata->msg_info.msg->body != NULL;
    bool is_info = text(method.name) == "INFO";
    /* Keep-alives of session border controllers; pjsua would say 500. */
    if (method.id == PJSIP_OPTIONS_METHOD || (is_info && !has_body && call && !call->hanging_up))
        return respond(rdata, 200);
    if (!call)
        return PJ_FALSE;
    if (has_body ? text(method.name) == "UPDATE" : method.id == PJSIP_INVITE_METHOD)
        return receiveOffer(rdata, call->index);
    if (is_info && has_body)
        return receiveInfo(rdata, call->index);
    const pjsip_generic_array_hdr *methods = announced(PJSIP_H_ALLOW);
    for (unsigned i = 0; i < methods->count; ++i) {
        if (pj_strcmp(&methods->values[i], &method.name) == 0)
            return PJ_FALSE;
    }
    /* REFER and its like: pjsua would place calls of its own. */
    return respond(rdata, PJSIP_SC_METHOD_NOT_ALLOWED);
}

pj_bool_t RequestGate::receiveOffer(pjsip_rx_data *rdata, int callId)
{
    if (isWaiting(rdata))
        return PJ_TRUE;
    pjsip_rx_data *clone = NULL;
    if (pjsip_rx_data_clone(rdata, 0, &clone) != PJ_SUCCESS)
        return PJ_FALSE;
    int token = nextToken++;
    waiting[token] = clone;
    if (onOffer(token, callId, body(rdata)))
        return PJ_TRUE;
    waiting.erase(token);
    pjsip_rx_data_free_cloned(clone);
    return PJ_FALSE;
}

pj_bool_t RequestGate::receiveInfo(pjsip_rx_data *rdata, int callId)
{
    const pjsip_media_type &type = rdata->msg_info.msg->body->content_type;
    int status = onInfo(callId, text(type.type) + "/" + text(type.subtype), body(rdata));
    return status ? respond(rdata, status) : PJ_FALSE;
}

/* Through a transaction, so that a retransmission is absorbed and not acted on twice. */
pj_bool_t RequestGate::respond(pjsip_rx_data *rdata, int status)
{
    pjsip_hdr headers;
    addRefusal(&headers, rdata->tp_info.pool, status);
    pjsip_endpt_respond(pjsua_get_pjsip_endpt(), NULL, rdata, status, NULL, &headers, NULL, NULL);
    return PJ_TRUE;
}

bool RequestGate::isWaiting(pjsip_rx_data *rdata) const
{
    std::map<int, pjsip_rx_data *>::const_iterator it;
    for (it = waiting.begin(); it != waiting.end(); ++it) {
        if (pj_strcmp(&it->second->msg_info.via->branch_param, &rdata->msg_info.via->branch_param) == 0)
            return true;
    }
    return false;
}

void RequestGate::resume(int token)
{
    std::map<int, pjsip_rx_data *>::iterator it = waiting.find(token);
    if (it == waiting.end())
        return;
    pjsip_rx_data *rdata = it->second;
    waiting.erase(it);
    pjsip_process_rdata_param param;
    pjsip_process_rdata_param_default(&param);
    resuming = rdata;
    pjsip_endpt_process_rx_data(pjsua_get_pjsip_endpt(), rdata, &param, NULL);
    resuming = NULL;
    pjsip_rx_data_free_cloned(rdata);
}

int RequestGate::send(int accountId, const std::string &message)
{
    pjsip_tx_data *request = pjsua_acc_is_valid(accountId) ? requestOf(message) : NULL;
    if (!request)
        return 0;
    pjsip_tpselector selector;
    pjsua_init_tpselector(accountId, &selector);
    pjsip_tx_data_set_transport(request, &selector);
    int token = nextToken++;
    pjsip_endpoint *endpoint = pjsua_get_pjsip_endpt();
    if (request->msg->line.req.method.id == PJSIP_ACK_METHOD)
        return pjsip_endpt_send_request_stateless(endpoint, request, NULL, NULL) == PJ_SUCCESS ? token : 0;
    Errand *errand = new Errand;
    errand->token = token;
    errand->accountId = accountId;
    errand->isRetry = false;
    return pjsip_endpt_send_request(endpoint, request, -1, errand, &RequestGate::on_final) == PJ_SUCCESS ? token : 0;
}

void RequestGate::on_final(void *token, pjsip_event *event)
{
    Errand *errand = (Errand *)token;
    if (answerChallenge(errand, event))
        return;
    int number = errand->token;
    delete errand;
    if (attached)
        attached->onFinal(number, event->body.tsx_state.tsx->status_code, isLost(event));
}

/* RFC 3261 §22: the same request with the account's credentials and the next CSeq; only once. */
bool RequestGate::answerChallenge(Errand *errand, pjsip_event *event)
{
    pjsip_transaction *transaction = event->body.tsx_state.tsx;
    if ((transaction->status_code != 401 && transaction->status_code != 407) || errand->isRetry
        || event->body.tsx_state.type != PJSIP_EVENT_RX_MSG)
        return false;
    errand->isRetry = true;
    const pjsua_acc &account = pjsua_var.acc[errand->accountId];
    pjsip_tx_data *request = transaction->last_tx, *again = NULL;
    pjsip_auth_clt_sess session;
    pjsip_auth_clt_init(&session, pjsua_get_pjsip_endpt(), request->pool, 0);
    pjsip_auth_clt_set_credentials(&session, account.cred_cnt, account.cred);
    pj_status_t status = pjsip_auth_clt_reinit_req(&session, event->body.tsx_state.src.rdata, request, &again);
    pjsip_auth_clt_deinit(&session);
    if (status != PJ_SUCCESS)
        return false;
    pjsip_cseq_hdr *number = (pjsip_cseq_hdr *)pjsip_msg_find_hdr(again->msg, PJSIP_H_CSEQ, NULL);
    ++number->cseq;
    pjsip_endpt_send_request(pjsua_get_pjsip_endpt(), again, -1, errand, &RequestGate::on_final);
    return true;
}

void RequestGate::follow(int callId, int token)
{
    LockedCall call(callId);
    if (call.invite())
        pjsip_dlg_add_usage(call.invite()->dlg, &follower, (void *)(pj_ssize_t)token);
}

void RequestGate::on_tsx_state(pjsip_transaction *transaction, pjsip_event *event)
{
    pjsip_dialog *dialog = pjsip_tsx_get_dlg(transaction);
    pjsip_method_e method = transaction->method.id;
    bool was_completed = event->body.tsx_state.prev_state >= PJSIP_TSX_STATE_COMPLETED;
    if (!attached || !dialog || transaction->role != PJSIP_ROLE_UAC || was_completed
        || transaction->state < PJSIP_TSX_STATE_COMPLETED
        || (method != PJSIP_INVITE_METHOD && method != PJSIP_BYE_METHOD))
        return;
    SipRxData response;
    if (event->body.tsx_state.type == PJSIP_EVENT_RX_MSG)
        response.fromPj(*event->body.tsx_state.src.rdata);
    int token = (int)(pj_ssize_t)dialog->mod_data[attached->follower.id];
    attached->onFollowed(token, response.wholeMsg, isLost(event));
}

pj_bool_t RequestGate::on_rx_response(pjsip_rx_data *rdata)
{
    if (!attached || rdata->msg_info.cseq->method.id != PJSIP_INVITE_METHOD)
        return PJ_FALSE;
    SipRxData copy;
    copy.fromPj(*rdata);
    return attached->onStrayResponse(copy) ? PJ_TRUE : PJ_FALSE;
}

/* A Contact without port means the connection itself: we listen nowhere else. It must name the port of our end, by
 * which peers find the connection again. */
pj_status_t RequestGate::on_tx(pjsip_tx_data *tdata)
{
    pjsip_contact_hdr *contact = (pjsip_contact_hdr *)pjsip_msg_find_hdr(tdata->msg, PJSIP_H_CONTACT, NULL);
    const pjsip_transport *transport = tdata->tp_info.transport;
    if (contact && contact->uri && transport && (transport->flag & PJSIP_TRANSPORT_RELIABLE)) {
        pjsip_sip_uri *uri = (pjsip_sip_uri *)pjsip_uri_get_uri(contact->uri);
        if (uri->port == 0)
            uri->port = transport->local_name.port;
    }
    return PJ_SUCCESS;
}

pj_status_t RequestGate::on_tx_response(pjsip_tx_data *tdata)
{
    const pjsip_via_hdr *via = (const pjsip_via_hdr *)pjsip_msg_find_hdr(tdata->msg, PJSIP_H_VIA, NULL);
    if (attached && via && tdata->msg->line.status.code >= 300)
        attached->onRefused(text(via->branch_param), tdata->msg->line.status.code);
    return on_tx(tdata);
}

pj_bool_t RequestGate::on_accept(pj_sock_t descriptor, const pj_sockaddr *remote)
{
    char host[PJ_INET6_ADDRSTRLEN];
    pj_sockaddr_print(remote, host, sizeof(host), 0);
    return attached->onConnection((int)descriptor, host) ? PJ_TRUE : PJ_FALSE;
}

/* NameResolver */

NameResolver *NameResolver::attached = NULL;

NameResolver::NameResolver() : nextToken(1)
{
    table.resolve = &NameResolver::on_resolve;
}

NameResolver::~NameResolver()
{
    if (attached != this)
        return;
    attached = NULL;
    if (pjsua_get_pjsip_endpt())
        pjsip_endpt_set_ext_resolver(pjsua_get_pjsip_endpt(), NULL);
}

void NameResolver::attach() PJSUA2_THROW(Error)
{
    PJSUA2_CHECK_EXPR(pjsip_endpt_set_ext_resolver(pjsua_get_pjsip_endpt(), &table));
    attached = this;
}

void NameResolver::on_resolve(pjsip_resolver_t *resolver, pj_pool_t *pool, const pjsip_host_info *target,
                              void *token, pjsip_resolver_callback *callback)
{
    PJ_UNUSED_ARG(resolver);
    PJ_UNUSED_ARG(pool);
    if (attached)
        attached->ask(target, token, callback);
    else
        (*callback)(PJ_ERESOLVE, token, NULL);
}

void NameResolver::ask(const pjsip_host_info *target, void *token, pjsip_resolver_callback *callback)
{
    Question question = {token, callback, target->type, target->addr.port};
    /* RFC 3263 §4.1 without NAPTR: the URI's transport, else TLS for sips and UDP for sip. */
    if (question.type == PJSIP_TRANSPORT_UNSPECIFIED)
        question.type = (target->flag & PJSIP_TRANSPORT_SECURE) ? PJSIP_TRANSPORT_TLS : PJSIP_TRANSPORT_UDP;
    std::string host = text(target->addr.host);
    pj_sockaddr literal;
    if (pj_sockaddr_parse(pj_AF_UNSPEC(), 0, &target->addr.host, &literal) == PJ_SUCCESS
        && host.find_first_not_of("0123456789abcdefABCDEF.:[]") == std::string::npos
        && (host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos)) {
        answer(question, std::vector<std::string>(1, host));
        return;
    }
    int number = nextToken++;
    questions[number] = question;
    onResolve(number, host, question.port);
}

void NameResolver::resolved(int token, const std::vector<std::string> &addresses)
{
    std::map<int, Question>::iterator it = questions.find(token);
    if (it == questions.end())
        return;
    Question question = it->second;
    questions.erase(it);
    answer(question, addresses);
}

void NameResolver::answer(const Question &question, const std::vector<std::string> &addresses)
{
    pjsip_server_addresses servers;
    pj_bzero(&servers, sizeof(servers));
    for (size_t i = 0; i < addresses.size() && servers.count < PJSIP_MAX_RESOLVED_ADDRESSES; ++i) {
        pjsip_server_address_record &entry = servers.entry[servers.count];
        pj_str_t address = {(char *)addresses[i].data(), (pj_ssize_t)addresses[i].size()};
        if (pj_sockaddr_parse(pj_AF_UNSPEC(), 0, &address, &entry.addr) != PJ_SUCCESS)
            continue;
        int type = question.type & ~PJSIP_TRANSPORT_IPV6;
        if (entry.addr.addr.sa_family == pj_AF_INET6())
            type |= PJSIP_TRANSPORT_IPV6;
        entry.type = (pjsip_transport_type_e)type;
        pj_uint16_t port = (pj_uint16_t)question.port;
        if (!port)
            port = (pj_uint16_t)pjsip_transport_get_default_port_for_type(entry.type);
        pj_sockaddr_set_port(&entry.addr, port);
        entry.addr_len = pj_sockaddr_get_len(&entry.addr);
        ++servers.count;
    }
    (*question.callback)(servers.count ? PJ_SUCCESS : PJ_ERESOLVE, question.token, &servers);
}

}  // namespace pj
