package host

import (
	"encoding/xml"
	"fmt"
	"strconv"
)

// domain is what libvirt says of a guest.
type domain struct {
	name string
	pid  int // 0 = not said
	nics []domainNIC
}

type domainNIC struct {
	vif    string
	mac    [6]byte
	bridge string
}

// xmlDomain is the part of libvirt's domain XML that is read
// (https://libvirt.org/formatdomain.html).
type xmlDomain struct {
	Name       string `xml:"name"`
	Interfaces []struct {
		MAC struct {
			Address string `xml:"address,attr"`
		} `xml:"mac"`
		Source struct {
			Bridge string `xml:"bridge,attr"`
		} `xml:"source"`
		Target struct {
			Dev string `xml:"dev,attr"`
		} `xml:"target"`
	} `xml:"devices>interface"`
}

// parseDomain reads a domain's XML, as libvirt gives it over its socket.
func parseDomain(text []byte) (domain, error) {
	var x struct {
		XMLName xml.Name `xml:"domain"`
		xmlDomain
	}
	if err := xml.Unmarshal(text, &x); err != nil {
		return domain{}, fmt.Errorf("parse domain XML: %w", err)
	}
	return x.domain(), nil
}

// parseStatus reads a status file of /run/libvirt/qemu: <domstatus pid=""> around
// the domain.
func parseStatus(text []byte) (domain, error) {
	var x struct {
		XMLName xml.Name  `xml:"domstatus"`
		PID     string    `xml:"pid,attr"`
		Domain  xmlDomain `xml:"domain"`
	}
	if err := xml.Unmarshal(text, &x); err != nil {
		return domain{}, fmt.Errorf("parse status XML: %w", err)
	}
	d := x.Domain.domain()
	if pid, err := strconv.ParseInt(x.PID, 10, 32); err == nil && pid > 0 {
		d.pid = int(pid)
	}
	return d, nil
}

func (x *xmlDomain) domain() domain {
	d := domain{name: clean(x.Name)}
	for _, i := range x.Interfaces[:min(len(x.Interfaces), mostNICs)] {
		d.nics = append(d.nics, domainNIC{vif: i.Target.Dev, mac: parseMAC(i.MAC.Address), bridge: clean(i.Source.Bridge)})
	}
	return d
}
