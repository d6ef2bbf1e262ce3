/* What pjsua2 lacks: the SDP in force, a gate in front of the dialog layer, name resolution
 * outside pjsip, the time of the next timer. One thread only, like everything in the worker. */
#ifndef WEBTRUNK_EXTENSION_HPP
#define WEBTRUNK_EXTENSION_HPP

#ifndef SWIG
#include <pjsua2.hpp>
#include <pjsua-lib/pjsua_internal.h>
#include <map>
#include <string>
#include <vector>
#endif

namespace pj {

#ifndef SWIG
struct Errand;
#endif

/** Decides about requests before pjsip's dialog layer sees them. */
class RequestGate {
public:
    RequestGate();
    virtual ~RequestGate();

    /** Start to see requests. */
    void attach() PJSUA2_THROW(Error);
    void detach();

    /** A TCP or TLS connection from `host` has come in on this descriptor. Return false to close it
     *  before anything is kept of it. */
    virtual bool onConnection(int descriptor, const std::string &host)
    { PJ_UNUSED_ARG(descriptor); PJ_UNUSED_ARG(host); return true; }

    /** A request that belongs to no dialog of ours. Return 0 to let pjsip handle it, -1 to drop it
     *  without an answer, or the status of a stateless final response. */
    virtual int onRequest(const std::string &method, SipRxData &rdata)
    { PJ_UNUSED_ARG(method); PJ_UNUSED_ARG(rdata); return 0; }

    /** A request in a dialog that has this tag of ours, before anything is kept of it; neither ACK nor the BYE
     *  that ends the call. Return false to refuse it with 503. */
    virtual bool onDialogRequest(const std::string &tag, const std::string &host)
    { PJ_UNUSED_ARG(tag); PJ_UNUSED_ARG(host); return true; }

    /** A response of 300 or more goes out, pjsip's own included, to the request of this branch. */
    virtual void onRefused(const std::string &branch, int status)
    { PJ_UNUSED_ARG(branch); PJ_UNUSED_ARG(status); }

    /** An UPDATE with an offer (RFC 3311), or a re-INVITE that asks for ours (`offer` is ""): pjsip
     *  would answer both at once. Return true to let it wait until `resume`. */
    virtual bool onOffer(int token, int callId, const std::string &offer)
    { PJ_UNUSED_ARG(token); PJ_UNUSED_ARG(callId); PJ_UNUSED_ARG(offer); return false; }

    /** An INFO with a body (RFC 6086). Return the status to answer it with, or 0 to let pjsip handle it. */
    virtual int onInfo(int callId, const std::string &contentType, const std::string &body)
    { PJ_UNUSED_ARG(callId); PJ_UNUSED_ARG(contentType); PJ_UNUSED_ARG(body); return 0; }

    /** A response to an INVITE that no transaction of ours waits for. Return true if it is dealt with. */
    virtual bool onStrayResponse(SipRxData &rdata)
    { PJ_UNUSED_ARG(rdata); return false; }

    /** The final response to what `send` sent; 408 if there was none. `isLost`: its transport failed. */
    virtual void onFinal(int token, int status, bool isLost)
    { PJ_UNUSED_ARG(token); PJ_UNUSED_ARG(status); PJ_UNUSED_ARG(isLost); }

    /** The final response to an INVITE or BYE of a call that is followed, "" if there is none.
     *  `isLost`: its transport failed. */
    virtual void onFollowed(int token, const std::string &response, bool isLost)
    { PJ_UNUSED_ARG(token); PJ_UNUSED_ARG(response); PJ_UNUSED_ARG(isLost); }

    /** Send a request that is written out, for a dialog that pjsip does not know, through an account's
     *  transport. Host and port of its Via are filled in, and a challenge is answered once. An ACK goes
     *  without a transaction. Returns the token for `onFinal`, 0 if it cannot be sent. */
    int send(int accountId, const std::string &message);

    /** Tell `onFollowed` what becomes of the requests of a call: pjsua is silent once it is hung up. */
    void follow(int callId, int token);

    /** Hand a waiting request to pjsip, which asks for our SDP in Call::onCallSdpCreated. */
    void resume(int token);

#ifndef SWIG
private:
    pj_bool_t receive(pjsip_rx_data *rdata);
    pj_bool_t receiveInDialog(pjsip_rx_data *rdata, pjsip_dialog *dialog);
    pj_bool_t receiveOffer(pjsip_rx_data *rdata, int callId);
    pj_bool_t receiveInfo(pjsip_rx_data *rdata, int callId);
    pj_bool_t respond(pjsip_rx_data *rdata, int status);
    void forgetCapabilities();
    bool isWaiting(pjsip_rx_data *rdata) const;
    static bool answerChallenge(Errand *errand, pjsip_event *event);
    static pj_bool_t on_rx_request(pjsip_rx_data *rdata);
    static pj_bool_t on_rx_response(pjsip_rx_data *rdata);
    static pj_status_t on_tx(pjsip_tx_data *tdata);
    static pj_status_t on_tx_response(pjsip_tx_data *tdata);
    static pj_bool_t on_accept(pj_sock_t descriptor, const pj_sockaddr *remote);
    static void on_final(void *token, pjsip_event *event);
    static void on_tsx_state(pjsip_transaction *transaction, pjsip_event *event);

    static RequestGate *attached;
    pjsip_module module;
    pjsip_module follower;
    std::map<int, pjsip_rx_data *> waiting;
    pjsip_rx_data *resuming;
    int nextToken;
#endif
};

/** Answers every question pjsip has about a host name; pjsip itself never asks a name server. */
class NameResolver {
public:
    NameResolver();
    virtual ~NameResolver();

    /** Take over from pjsip's resolver. */
    void attach() PJSUA2_THROW(Error);

    /** Somebody needs the addresses of `host`; answer by `resolved`, now or later. `port` 0: none given.
     *  Literal addresses never come here. */
    virtual void onResolve(int token, const std::string &host, int port)
    { PJ_UNUSED_ARG(token); PJ_UNUSED_ARG(host); PJ_UNUSED_ARG(port); }

    /** The addresses, best first; none: the name does not resolve. */
    void resolved(int token, const std::vector<std::string> &addresses);

#ifndef SWIG
private:
    struct Question {
        void *token;
        pjsip_resolver_callback *callback;
        pjsip_transport_type_e type;
        int port;
    };
    void ask(const pjsip_host_info *target, void *token, pjsip_resolver_callback *callback);
    static void answer(const Question &question, const std::vector<std::string> &addresses);
    static void on_resolve(pjsip_resolver_t *resolver, pj_pool_t *pool, const pjsip_host_info *target,
                           void *token, pjsip_resolver_callback *callback);

    static NameResolver *attached;
    pjsip_ext_resolver table;
    std::map<int, Question> questions;
    int nextToken;
#endif
};

/** Let others connect to a TCP or TLS transport of pjsua's, which is made as a client only. Returns the port. */
int listenOn(int transportId, const std::string &address, int port) PJSUA2_THROW(Error);

/** Milliseconds until pjsip's next timer is due; -1: there is none. */
int nextTimerMs();

/** Calls that pjsip still has something to do for, those we gave up included. */
int liveCalls();

/** Forget a call at once, sending nothing more: for a peer that never answers. The Call-ID says
 *  that the slot still holds that call. */
void terminateCall(int callId, const std::string &callIdHeader, int status);

/** Let a session go on for ever: no refresh of ours, no BYE for want of one (RFC 4028). */
void endSessionTimer(int callId);

#ifndef SWIG
/** Let go of the INVITE that we sent: pjsip keeps it, for a redirection, as long as the call. */
void forgetInvite(int callId);

/** The remote SDP in force on a call (RFC 3264), "" if there is none. */
std::string activeRemoteSdp(int callId);
#endif

}  // namespace pj
#endif
