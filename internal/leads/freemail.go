package leads

import "strings"

// companyDomain is the part of an e-mail address that names the employer, or ""
// for an address at a mail provider: two strangers at gmail.com are no colleagues.
func companyDomain(email string) string {
	_, domain, _ := strings.Cut(strings.ToLower(email), "@")
	if freeMail[domain] {
		return ""
	}
	return domain
}

// freeMail are the large public mail providers and the common throw-away ones.
var freeMail = func() map[string]bool {
	m := map[string]bool{}
	for _, domain := range strings.Fields(`
		gmail.com googlemail.com outlook.com hotmail.com live.com msn.com hotmail.co.uk hotmail.fr hotmail.de hotmail.it hotmail.es
		outlook.de outlook.fr outlook.es live.co.uk live.fr live.nl yahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.it yahoo.es yahoo.ca
		yahoo.co.in yahoo.co.jp yahoo.com.br yahoo.com.au ymail.com rocketmail.com aol.com aim.com icloud.com me.com mac.com
		proton.me protonmail.com pm.me tutanota.com tuta.io tutamail.com gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.fr web.de t-online.de freenet.de
		posteo.de mailbox.org arcor.de 1und1.de online.de orange.fr wanadoo.fr free.fr laposte.net sfr.fr bbox.fr neuf.fr
		libero.it virgilio.it tiscali.it alice.it tin.it terra.es telefonica.net ziggo.nl kpnmail.nl planet.nl xs4all.nl hetnet.nl telenet.be skynet.be
		bluewin.ch sunrise.ch btinternet.com sky.com virginmedia.com talktalk.net ntlworld.com comcast.net verizon.net att.net sbcglobal.net
		bellsouth.net cox.net charter.net earthlink.net shaw.ca rogers.com sympatico.ca bigpond.com optusnet.com.au xtra.co.nz
		uol.com.br bol.com.br terra.com.br ig.com.br mail.ru inbox.ru list.ru bk.ru yandex.ru yandex.com ya.ru rambler.ru ukr.net
		wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz email.cz azet.sk freemail.hu citromail.hu abv.bg
		qq.com 163.com 126.com sina.com sohu.com foxmail.com naver.com daum.net hanmail.net rediffmail.com
		zoho.com zohomail.com fastmail.com fastmail.fm hey.com hushmail.com mail.com email.com usa.com inbox.com duck.com
		mailinator.com guerrillamail.com 10minutemail.com temp-mail.org yopmail.com trashmail.com sharklasers.com`) {
		m[domain] = true
	}
	return m
}()
