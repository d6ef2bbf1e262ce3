%feature("director") pj::RequestGate;
%feature("director") pj::NameResolver;
%include "extension.hpp"
%extend pj::Call {
    void forgetInvite() { pj::forgetInvite($self->getId()); }
    std::string activeRemoteSdp() { return pj::activeRemoteSdp($self->getId()); }
}
